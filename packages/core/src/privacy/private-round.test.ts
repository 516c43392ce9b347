import { clippedSumOf } from '@fedsvd/testing/core/clipped-sums'
import {
  chiSquareScore,
  correlationScore,
  countQuarters,
  gaussianQuarters,
  IMPLAUSIBLE,
} from '@fedsvd/testing/core/goodness-of-fit'
import { asOperatingSystem } from '@fedsvd/testing/core/scripted-source'
import { beforeEach, describe, expect, it } from 'vitest'
import type { PrivacyEvent } from '../accounting/index.ts'
import { type RandomSource, seededSource } from '../random/index.ts'
import { type NamedTensor, sizeOf, type TensorSpec, zerosLike } from '../tensor/index.ts'
import { beginClippedSum, type ClippedSum } from './clipped-sum.ts'
import { beginPrivateRound, type PrivateRoundOptions } from './private-round.ts'
import { assertPrivateUpdate } from './private-update.ts'
import { type ReservedEntry, reservationFrom } from './reservation.ts'
import { GRID_BITS, gridOf, gridSensitivity } from './sensitivity.ts'

const SPECS: readonly TensorSpec[] = [
  { name: 'encoder.lora_B.weight', shape: [40, 25] },
  { name: 'head.weight', shape: [1000] },
]
const DIMENSION = 2000
const RECORDS = 30
const EVENT: PrivacyEvent = {
  mechanism: 'poisson-subsampled-gaussian',
  sampleRate: 0.1,
  noiseMultiplier: 0.7,
  steps: 3,
  clipNorm: 1.5,
  relation: 'add-or-remove-one',
  unit: 'record',
}
let attempt = 0
beforeEach(() => {
  attempt = 0
})

function entry(event: Partial<PrivacyEvent> = {}, changes: Partial<ReservedEntry> = {}): ReservedEntry {
  return {
    event: { ...EVENT, ...event },
    runId: 'run',
    round: 4,
    attempt: attempt++,
    datasetFingerprint: 'sha256:data',
    entryHash: `sha256:${attempt}`,
    durable: true,
    ...changes,
  }
}

function options(event: Partial<PrivacyEvent> = {}, changes: Partial<PrivateRoundOptions> = {}): PrivateRoundOptions {
  const { clipNorm, noiseMultiplier, sampleRate, steps } = { ...EVENT, ...event }
  return {
    specs: SPECS,
    start: SPECS.map(zerosLike),
    reservation: reservationFrom(entry(event)),
    clipNorm,
    noiseMultiplier,
    sampleRate,
    steps,
    learningRate: 0.5,
    expectedLotSize: 3,
    source: asOperatingSystem(seededSource('noise')),
    ...changes,
  }
}

const zeros = (specs: readonly TensorSpec[] = SPECS, clipNorm = EVENT.clipNorm) =>
  beginClippedSum({ specs, clipNorm }).finish()
const values = (tensors: readonly NamedTensor[]) => tensors.flatMap(({ data }) => [...data])

/** Runs a whole round in which every lot's sum is what `sumOf` says. */
async function run(
  given: PrivateRoundOptions,
  sumOf: (step: number) => ClippedSum = () => zeros(given.specs, given.clipNorm),
) {
  const round = beginPrivateRound(given)
  for (let step = 0; step < given.steps; step++) {
    round.drawLot(RECORDS)
    await round.step(sumOf(step))
  }
  return await round.finish()
}

/** The standard deviation that one step of a round should give each parameter. */
const stepStdDev = (
  noiseMultiplier: number,
  { clipNorm = EVENT.clipNorm, learningRate = 0.5, expectedLotSize = 3 } = {},
  dimension = DIMENSION,
) =>
  (noiseMultiplier * gridSensitivity({ dimension, gridBits: GRID_BITS }) * gridOf(clipNorm) * learningRate) /
  expectedLotSize

describe('the noise that reaches the update', () => {
  const wide: TensorSpec[] = [
    { name: 'b', shape: [60_000] },
    { name: 'head', shape: [60_000] },
  ]

  it.each([0.7, 2.5])(
    'at noiseMultiplier %d has that many sensitivities, not 2/3 and not 3/2 of them',
    async (noiseMultiplier) => {
      const update = await run(options({ noiseMultiplier, steps: 1 }, { specs: wide, start: wide.map(zerosLike) }))
      const unit = stepStdDev(1, {}, 120_000)
      for (const { data } of update.tensors) {
        const counts = countQuarters(data, noiseMultiplier * unit)
        const score = (assumed: number) =>
          chiSquareScore(counts, gaussianQuarters(assumed * unit, noiseMultiplier * unit))
        expect(Math.abs(score(noiseMultiplier))).toBeLessThan(IMPLAUSIBLE)
        expect(score((noiseMultiplier * 2) / 3)).toBeGreaterThan(IMPLAUSIBLE)
        expect(score((noiseMultiplier * 3) / 2)).toBeGreaterThan(IMPLAUSIBLE)
      }
    },
  )

  it.each([0.7, 2.5])(
    'trap: sigma and sigma squared mixed up. %d is not its square, nor its root',
    async (noiseMultiplier) => {
      const update = await run(options({ noiseMultiplier, steps: 1 }, { specs: wide, start: wide.map(zerosLike) }))
      const unit = stepStdDev(1, {}, 120_000)
      const stdDev = Math.hypot(...values(update.tensors)) / Math.sqrt(120_000)
      expect(stdDev / unit).toBeCloseTo(noiseMultiplier, 1)
      expect(Math.abs(stdDev / unit / noiseMultiplier ** 2 - 1)).toBeGreaterThan(0.3)
      expect(Math.abs(stdDev / unit / Math.sqrt(noiseMultiplier) - 1)).toBeGreaterThan(0.15)
    },
  )

  it('scales with clipNorm and learningRate, and inversely with the expected lot', async () => {
    const stdDev = async (changes: Partial<PrivateRoundOptions>, clipNorm = EVENT.clipNorm) =>
      Math.hypot(...values((await run(options({ steps: 1, clipNorm }, changes))).tensors)) / Math.sqrt(DIMENSION)
    const base = await stdDev({})
    expect(base / stepStdDev(0.7)).toBeCloseTo(1, 1)
    expect((await stdDev({}, 3 * EVENT.clipNorm)) / base).toBeCloseTo(3, 5)
    expect((await stdDev({ learningRate: 1.5 })) / base).toBeCloseTo(3, 5)
    expect((await stdDev({ expectedLotSize: 9 })) / base).toBeCloseTo(1 / 3, 5)
  })

  it('is independent from coordinate to coordinate, tensor to tensor and step to step', async () => {
    const round = beginPrivateRound(options({ steps: 2 }, { specs: wide, start: wide.map(zerosLike) }))
    round.drawLot(RECORDS)
    await round.step(zeros(wide))
    const [first, second] = round.current().map(({ data }) => data.slice())
    round.drawLot(RECORDS)
    await round.step(zeros(wide))
    const later = round.current()[0]!.data.map((value, i) => value - first![i]!)
    for (const other of [second!, later, first!.subarray(1)]) {
      expect(Math.abs(correlationScore(first!, other))).toBeLessThan(IMPLAUSIBLE)
      expect(Math.abs(correlationScore(first!.map(Math.abs), other.map(Math.abs)))).toBeLessThan(IMPLAUSIBLE)
    }
    expect(
      correlationScore(
        first!,
        second!.map((value, i) => value + 0.05 * first![i]!),
      ),
    ).toBeGreaterThan(IMPLAUSIBLE)
  })

  it('is on every coordinate of every trained tensor', async () => {
    const moved = values((await run(options())).tensors).filter((value) => value !== 0)
    expect(moved).toHaveLength(DIMENSION)
  })
})

describe('the step', () => {
  /** The effect of adding `sum` to a step, with the noise of the same seed subtracted. */
  const effect = async (
    sum: ClippedSum,
    changes: Partial<PrivateRoundOptions> = {},
    event: Partial<PrivacyEvent> = { steps: 1 },
  ) => {
    const plain = values((await run(options(event, changes))).tensors)
    const moved = values((await run(options(event, changes), (step) => (step === 0 ? sum : zeros()))).tensors)
    return moved.map((value, i) => value - plain[i]!)
  }
  const gridSum = SPECS.map(({ shape }) => new Float64Array(sizeOf(shape)))
  gridSum[0]![7] = 2 ** 30
  gridSum[1]![3] = -(2 ** 31)
  const loud = clippedSumOf({ specs: SPECS, clipNorm: EVENT.clipNorm }, gridSum)

  it('is theta - learningRate * gridSum * grid / expectedLotSize', async () => {
    const change = await effect(loud)
    const unit = (0.5 * gridOf(EVENT.clipNorm)) / 3
    expect(change[7]! / (-unit * 2 ** 30)).toBeCloseTo(1, 5)
    expect(change[1003]! / (unit * 2 ** 31)).toBeCloseTo(1, 5)
    expect(change.filter((value) => value !== 0)).toHaveLength(2)
  })

  it('trap: the drawn size used as divisor. A lot of 1 and a lot of 30 are divided by the same constant', async () => {
    const steps: number[] = []
    for (const records of [0, 1, 30]) {
      const round = beginPrivateRound(options({ steps: 1, sampleRate: 1 }))
      expect(round.drawLot(records)).toHaveLength(records)
      await round.step(loud)
      steps.push((await round.finish()).tensors[0]!.data[7]!)
    }
    const unit = (0.5 * gridOf(EVENT.clipNorm)) / 3
    for (const change of steps) expect(change / (-unit * 2 ** 30)).toBeCloseTo(1, 2)
  })

  it('trap: an empty lot skipped. It is noised like any other and counts as a step', async () => {
    const round = beginPrivateRound(options({ steps: 1 }))
    expect(round.drawLot(0)).toHaveLength(0)
    await round.step(zeros())
    expect(round.stepsDone).toBe(1)
    const update = values((await round.finish()).tensors)
    expect(Math.hypot(...update) / Math.sqrt(DIMENSION) / stepStdDev(0.7)).toBeCloseTo(1, 1)
  })

  it('trap: noise for C / n against a mean that moves by more. One record moves the update by at most noise / multiplier', async () => {
    const gradient: NamedTensor[] = [
      { name: SPECS[0]!.name, shape: [40, 25], data: new Float32Array(1000).fill(100) },
      { name: SPECS[1]!.name, shape: [1000], data: new Float32Array(1000).fill(-3) },
    ]
    const lot = beginClippedSum({ specs: SPECS, clipNorm: EVENT.clipNorm })
    lot.add(gradient.map(({ data }) => data))
    const change = Math.hypot(...(await effect(lot.finish())))
    expect(change).toBeLessThanOrEqual(stepStdDev(1) * (1 + 1e-5))
    expect(change).toBeGreaterThan(stepStdDev(1) * 0.99) // and the bound is not a loose one
  })

  it('momentum is heavy ball on the noised gradients: a loud step and two without signal carry 1 + m + m^2', async () => {
    const [heavy, plain] = [await effect(loud, { momentum: 0.5 }, { steps: 3 }), await effect(loud, {}, { steps: 3 })]
    const ratio = heavy[7]! / plain[7]!
    expect(ratio).toBeCloseTo(1.75, 3)
  })

  it('the parameters shown between steps are the start plus the update so far', async () => {
    const start = SPECS.map(({ name, shape }, t) => ({ name, shape, data: new Float32Array(1000).fill(t + 1) }))
    const round = beginPrivateRound(options({ steps: 1 }, { start }))
    expect(values(round.current())).toEqual(values(start))
    round.drawLot(RECORDS)
    await round.step(zeros())
    const shown = values(round.current())
    start[0]!.data.fill(99) // what the caller does to its array afterwards does not matter
    for (const [i, delta] of values((await round.finish()).tensors).entries()) {
      expect(shown[i]).toBeCloseTo(delta + (i < 1000 ? 1 : 2), 5)
    }
  })
})

describe('a step in pieces', () => {
  const long: TensorSpec[] = [
    { name: 'b', shape: [70_000, 3] },
    { name: 'c', shape: [5] },
    { name: 'head', shape: [90_001] },
  ]
  const terms = { specs: long, start: long.map(zerosLike), momentum: 0.9 }
  /** Takes turns by itself, and lets a test look at the round in each of them. */
  const turns = (onTurn: (turn: number) => Promise<void> | void = () => {}) => {
    let taken = 0
    return {
      turn: async () => {
        taken += 1
        await onTurn(taken)
      },
      get taken() {
        return taken
      },
    }
  }

  it('gives a turn every 65,536 entries, whatever was added up, and draws the noise that one in one go draws', async () => {
    const whole = await run(options({}, terms))
    const entries = 3 * 70_000 + 5 + 90_001
    for (const gradient of [0, 7]) {
      const seen = turns()
      const round = beginPrivateRound(options({ steps: 1 }, { ...terms, turn: seen.turn }))
      const lot = beginClippedSum({ specs: long, clipNorm: EVENT.clipNorm })
      lot.add(long.map(({ shape }) => new Float32Array(sizeOf(shape)).fill(gradient)))
      round.drawLot(RECORDS)
      await round.step(lot.finish())
      expect(seen.taken).toBe(Math.floor(entries / 2 ** 16) + 1) // a piece ends with its tensor
    }
    expect((await run(options({}, { ...terms, turn: turns().turn }))).tensors).toEqual(whole.tensors)
  })

  it('is one step: whatever is called meanwhile is refused, and changes nothing of it', async () => {
    const calls: unknown[] = []
    let round: ReturnType<typeof beginPrivateRound> | undefined
    const meddle = async (): Promise<void> => {
      const { drawLot, step, save, current, finish, kept } = round!
      for (const call of [() => drawLot(RECORDS), () => current(), () => kept(undefined as never)]) {
        expect(call).toThrow('STEP_ORDER')
      }
      await expect(step(zeros(long))).rejects.toThrow('STEP_ORDER')
      await expect(save()).rejects.toThrow('STEP_ORDER')
      await expect(finish()).rejects.toThrow('STEP_ORDER')
      expect(round!.stepsDone).toBe(0)
      calls.push(1)
    }
    round = beginPrivateRound(options({ steps: 1 }, { ...terms, turn: meddle }))
    round.drawLot(RECORDS)
    await round.step(zeros(long))
    expect(calls.length).toBeGreaterThan(3)
    expect(round.stepsDone).toBe(1)
    const undisturbed = await run(options({ steps: 1 }, terms))
    expect(values(round.current())).toEqual(values(undisturbed.tensors))
  })

  it('is saved as it was when that was asked for: no step begins meanwhile', async () => {
    let round: ReturnType<typeof beginPrivateRound> | undefined
    let isSaving = false
    let refused = 0
    const meddle = (): void => {
      if (!isSaving) return
      expect(() => round!.drawLot(RECORDS)).toThrow('STEP_ORDER')
      refused += 1
    }
    const wide = [{ name: 'b', shape: [600_000] }]
    const given = { specs: wide, start: wide.map(zerosLike), turn: turns(meddle).turn }
    round = beginPrivateRound(options({ steps: 2 }, given))
    round.drawLot(RECORDS)
    await round.step(zeros(wide))
    isSaving = true
    await round.save()
    isSaving = false
    expect(refused).toBeGreaterThan(0)
    expect(() => round.drawLot(RECORDS)).not.toThrow()
  })

  it('that fails on its way ends the round', async () => {
    const broken = turns((turn) => {
      if (turn === 2) throw new Error('no turn')
    })
    const round = beginPrivateRound(options({}, { ...terms, turn: broken.turn }))
    round.drawLot(RECORDS)
    await expect(round.step(zeros(long))).rejects.toThrow('no turn')
    expect(() => round.drawLot(RECORDS)).toThrow('STEP_ORDER')
    await expect(round.save()).rejects.toThrow('STEP_ORDER')
    await expect(round.finish()).rejects.toThrow('STEP_ORDER')
    expect(round.stepsDone).toBe(0)
  })
})

describe('lots', () => {
  it('are drawn with the reserved sample rate', () => {
    const round = beginPrivateRound(options({ steps: 1, sampleRate: 0.25 }))
    const drawn = round.drawLot(100_000).length
    expect(Math.abs(drawn - 25_000) / Math.sqrt(100_000 * 0.25 * 0.75)).toBeLessThan(5)
  })

  it('a step without a lot of its own, or a second lot for one step, is refused', async () => {
    await expect(beginPrivateRound(options()).step(zeros())).rejects.toThrow('STEP_ORDER')
    const round = beginPrivateRound(options())
    round.drawLot(RECORDS)
    expect(() => round.drawLot(RECORDS)).toThrow('STEP_ORDER')
  })
})

describe('it fails closed', () => {
  it('trap: DP switched off silently. Without a reservation nothing begins, whatever a cast says', () => {
    const copied = { ...reservationFrom(entry()) } as unknown as PrivateRoundOptions['reservation']
    for (const reservation of [undefined, null, {}, copied]) {
      expect(() => beginPrivateRound(options({}, { reservation: reservation as never }))).toThrow('RESERVATION_MISSING')
    }
  })

  it('trap: new noise on the same data for free. A reservation pays for one round, also when that round failed', () => {
    const reservation = reservationFrom(entry())
    beginPrivateRound(options({}, { reservation }))
    expect(() => beginPrivateRound(options({}, { reservation }))).toThrow('RESERVATION_MISSING')
    const unlucky = reservationFrom(entry())
    expect(() => beginPrivateRound(options({}, { reservation: unlucky, clipNorm: 9 }))).toThrow('TERMS_CHANGED')
    expect(() => beginPrivateRound(options({}, { reservation: unlucky }))).toThrow('RESERVATION_MISSING')
  })

  it('trap: budget enforced in memory only. An entry that is not on disk, or proves nothing, is no reservation', () => {
    expect(() => reservationFrom(entry({}, { durable: false }))).toThrow('RESERVATION_MISSING')
    expect(() => reservationFrom(entry({}, { entryHash: '' }))).toThrow('RESERVATION_MISSING')
    expect(() => reservationFrom(entry({}, { datasetFingerprint: '' }))).toThrow('RESERVATION_MISSING')
  })

  it.each([
    { noiseMultiplier: 0 },
    { noiseMultiplier: Number.NaN },
    { noiseMultiplier: Number.POSITIVE_INFINITY },
    { sampleRate: 0 },
    { sampleRate: 1.1 },
    { steps: 0 },
    { steps: 1.5 },
    { clipNorm: 0 },
  ])('an event of %o cannot be reserved', (event) => {
    expect(() => reservationFrom(entry(event))).toThrow('NOISE_INVALID')
  })

  it.each([{ noiseMultiplier: 0.69 }, { clipNorm: 1.6 }, { sampleRate: 0.11 }, { steps: 4 }])(
    'terms of %o are not the reserved ones',
    (changes) => {
      expect(() => beginPrivateRound(options({}, changes))).toThrow('TERMS_CHANGED')
    },
  )

  it('an event of another unit is not for records', () => {
    expect(() => beginPrivateRound(options({ unit: 'client' }))).toThrow('TERMS_CHANGED')
  })

  it('what was reserved cannot be changed afterwards', () => {
    const made = entry()
    const reservation = reservationFrom(made)
    ;(made.event as { steps: number }).steps = 50
    expect(() => beginPrivateRound(options({ steps: 50 }, { reservation }))).toThrow('TERMS_CHANGED')
  })

  it('no step is made beyond the reserved ones, and none after the update', async () => {
    const round = beginPrivateRound(options({ steps: 1 }))
    round.drawLot(RECORDS)
    await round.step(zeros())
    expect(() => round.drawLot(RECORDS)).toThrow('RESERVATION_MISSING')
    await expect(round.step(zeros())).rejects.toThrow('RESERVATION_MISSING')
    await round.finish()
    expect(() => round.drawLot(RECORDS)).toThrow('RESERVATION_MISSING')
  })

  it('there is one update, after all the steps', async () => {
    const round = beginPrivateRound(options({ steps: 2 }))
    round.drawLot(RECORDS)
    await round.step(zeros())
    await expect(round.finish()).rejects.toThrow('STEP_ORDER')
    round.drawLot(RECORDS)
    await expect(round.finish()).rejects.toThrow('STEP_ORDER')
    await round.step(zeros())
    await round.finish()
    await expect(round.finish()).rejects.toThrow('STEP_ORDER')
  })

  const [other] = SPECS
  it.each<[string, unknown]>([
    ['arrays of numbers', SPECS.map(({ shape }) => new Float64Array(sizeOf(shape)))],
    ['nothing', undefined],
    ['a copy of a clipped sum', { ...zeros() }],
    ['an object with its prototype', Object.create(zeros())],
    ['a sum of other tensors', zeros([other!])],
    ['a sum of tensors of other shapes', zeros([{ ...other!, shape: [25, 40] }, SPECS[1]!])],
    ['a sum clipped to another norm', zeros(SPECS, 2 * EVENT.clipNorm)],
  ])('%s is refused, and ends the round', async (_, sum) => {
    const round = beginPrivateRound(options())
    round.drawLot(RECORDS)
    await expect(round.step(sum as ClippedSum)).rejects.toThrow('NOISE_INVALID')
    await expect(round.step(zeros())).rejects.toThrow('STEP_ORDER')
    expect(() => round.drawLot(RECORDS)).toThrow('STEP_ORDER')
    await expect(round.finish()).rejects.toThrow('STEP_ORDER')
    expect(values(round.current()).every((value) => value === 0)).toBe(true)
  })

  it.each([1e-300, 1e300])(
    'a clip norm of %d, by which float64 cannot divide, is refused before the first step',
    (clipNorm) => {
      expect(() => beginPrivateRound(options({ clipNorm }))).toThrow('NOISE_INVALID')
    },
  )

  it('parameters that do not fit the run are refused', () => {
    const start = SPECS.map(zerosLike)
    const named = [{ ...start[0]!, name: 'other' }, start[1]!]
    const shaped = [{ ...start[0]!, shape: [25, 40] }, start[1]!]
    for (const bad of [start.slice(1), [...start].reverse(), named, shaped, []]) {
      expect(() => beginPrivateRound(options({}, { start: bad }))).toThrow('SHAPE_MISMATCH')
    }
    const broken = SPECS.map(zerosLike)
    broken[1]!.data[0] = Number.NaN
    expect(() => beginPrivateRound(options({}, { start: broken }))).toThrow('NOT_FINITE')
  })

  it.each([
    { learningRate: 0 },
    { learningRate: Number.NaN },
    { expectedLotSize: 0 },
    { momentum: 1 },
    { momentum: -0.1 },
  ])('a step with %o is no step', (changes) => {
    expect(() => beginPrivateRound(options({}, changes))).toThrow('NOISE_INVALID')
  })

  it('a round that diverged beyond float32 gives no update', async () => {
    await expect(run(options({}, { learningRate: 1e300 }))).rejects.toThrow('NOT_FINITE')
  })
})

describe('where the noise came from', () => {
  const noiseOf = (source: RandomSource) => run(options({}, { source }))

  it('trap: a seeded generator for the lots beside a secure one for the noise. The round says NOT PRIVATE', () => {
    const source = asOperatingSystem(seededSource('x'))
    const mixed = options({}, { source, lotSource: seededSource('lots') })
    expect(beginPrivateRound(mixed).randomness).toBe('NOT PRIVATE')
    const both = options({}, { source, lotSource: asOperatingSystem(seededSource('lots')) })
    expect(beginPrivateRound(both).randomness).toBe('secure')
  })

  it('trap: a seeded generator for noise. The update says NOT PRIVATE', async () => {
    expect((await noiseOf(seededSource('x'))).randomness).toBe('NOT PRIVATE')
    expect((await noiseOf(asOperatingSystem(seededSource('x')))).randomness).toBe('secure')
    expect(beginPrivateRound(options({}, { source: seededSource('x') })).randomness).toBe('NOT PRIVATE')
  })

  it('trap: the same noise on all clients. Two sources share nothing, one source never repeats itself', async () => {
    const shared = asOperatingSystem(seededSource('one machine'))
    const sources = [asOperatingSystem(seededSource('another')), shared, shared]
    const updates = await Promise.all(sources.map(noiseOf))
    const [a, b, c] = updates.map(({ tensors }) => values(tensors))
    for (const [x, y] of [
      [a, b],
      [a, c],
      [b, c],
    ] as const) {
      expect(Math.abs(correlationScore(x!, y!))).toBeLessThan(IMPLAUSIBLE)
      expect(x).not.toEqual(y)
    }
  })

  it('the update carries the entry that paid for it and is known as made here', async () => {
    const update = await run(options())
    expect(update.reserved).toMatchObject({ event: EVENT, runId: 'run', round: 4, attempt: 0 })
    expect(update.tensors.map(({ name, shape }) => ({ name, shape }))).toEqual(SPECS)
    expect(() => assertPrivateUpdate(update)).not.toThrow()
    const alike: unknown = Object.create(
      Object.getPrototypeOf(update) as object,
      Object.getOwnPropertyDescriptors(update),
    )
    for (const forged of [{ ...update }, structuredClone({ ...update }), alike, update.tensors, null, undefined]) {
      expect(() => assertPrivateUpdate(forged)).toThrow('RESERVATION_MISSING')
    }
  })
})
