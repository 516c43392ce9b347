import { contributionOf } from '@fedsvd/testing/core/clipped-sums'
import { asOperatingSystem } from '@fedsvd/testing/core/scripted-source'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { eventOfClientLevelRound, type PrivacyEvent } from '../accounting/index.ts'
import { fillGaussian, RandomBits, seededSource } from '../random/index.ts'
import { zerosLike } from '../tensor/index.ts'
import { adaptedClipNorm, shareUnder, splitNoise, VOTE_UNIT, voteSigma } from './adaptive-clipping.ts'
import { beginClientLevelRound } from './client-level.ts'
import { beginClippedSum } from './clipped-sum.ts'
import { beginPrivateRound, type PrivateRoundOptions } from './private-round.ts'
import { reservationFrom } from './reservation.ts'
import { gridSigma } from './sensitivity.ts'

const ADAPTIVE = { quantile: 0.5, learningRate: 0.2, countShare: 0.01 }
const SPECS = [{ name: 'b', shape: [4] }]
const RECORD_EVENT: PrivacyEvent = {
  ...eventOfClientLevelRound({ clipNorm: 1, noiseMultiplier: 0.7 }),
  sampleRate: 0.1,
  unit: 'record',
}
const source = asOperatingSystem(seededSource('adaptive'))
let attempt = 0
const reservation = (event: PrivacyEvent) => {
  attempt += 1
  const place = { runId: 'run', round: 0, attempt, datasetFingerprint: 'data', entryHash: 'hash' }
  return reservationFrom({ ...place, event, durable: true })
}

function privateRound(changes: Partial<PrivateRoundOptions> = {}, event = RECORD_EVENT) {
  const { clipNorm, noiseMultiplier, sampleRate, steps } = event
  return beginPrivateRound({
    specs: SPECS,
    start: SPECS.map(zerosLike),
    reservation: reservation(event),
    source,
    clipNorm,
    noiseMultiplier,
    sampleRate,
    steps,
    learningRate: 0.5,
    expectedLotSize: 8,
    adaptiveClipping: ADAPTIVE,
    ...changes,
  })
}

const clientRound = (noiseMultiplier: number, countShare = ADAPTIVE.countShare) =>
  beginClientLevelRound({
    specs: SPECS,
    clipNorm: 1,
    noiseMultiplier,
    expectedClients: 8,
    source,
    reservation: reservation(eventOfClientLevelRound({ clipNorm: 1, noiseMultiplier })),
    adaptiveClipping: { ...ADAPTIVE, countShare },
  })

describe('the joint release of clipped gradients and votes', () => {
  it('has the sensitivity of its noise multiplier: by brute force over neighbouring sets', () => {
    const coordinate = fc.oneof(
      fc.double({ min: -3, max: 3, noNaN: true }),
      fc.constantFrom(0, 1e-30, 1e15, Number.NaN, Number.POSITIVE_INFINITY),
    )
    const record = fc.array(coordinate, { minLength: 4, maxLength: 4 })
    const question = fc.record({
      records: fc.array(record, { minLength: 1, maxLength: 6 }),
      noiseMultiplier: fc.double({ min: 0.3, max: 20, noNaN: true }),
      countShare: fc.double({ min: 1e-4, max: 0.5, noNaN: true }),
      clipNorm: fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
    })
    fc.assert(
      fc.property(question, ({ records, noiseMultiplier, countShare, clipNorm }) => {
        const gradients = records.map((data) => [{ name: 'b', shape: [4], data: Float32Array.from(data) }])
        /** What is noised, each coordinate in standard deviations of its own noise. */
        const release = (set: typeof gradients): number[] => {
          const { sum, votes } = splitNoise(noiseMultiplier, { countShare })
          const lot = beginClippedSum({ specs: SPECS, clipNorm })
          for (const gradient of set) lot.add(gradient.map(({ data }) => data))
          const { gridSum, votes: cast } = lot.finish()
          const sigma = gridSigma({ noiseMultiplier: sum, dimension: 4 })
          return [...gridSum[0]!.map((value) => value / sigma), (cast * VOTE_UNIT) / voteSigma(votes)]
        }
        const whole = release(gradients)
        for (const left of gradients) {
          const without = release(gradients.filter((gradient) => gradient !== left))
          const distance = Math.hypot(...whole.map((value, i) => value - without[i]!))
          expect(distance).toBeLessThanOrEqual(1 / noiseMultiplier)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('uses its noise up: a clipped record moves it by almost 1 / noiseMultiplier', () => {
    const [z, countShare] = [1.3, 0.2]
    const { sum, votes } = splitNoise(z, { countShare })
    const q = contributionOf([{ name: 'b', shape: [4], data: new Float32Array(4).fill(9) }], 1)[0]!
    const moved = Math.hypot(
      Math.hypot(...q) / gridSigma({ noiseMultiplier: sum, dimension: 4 }),
      VOTE_UNIT / voteSigma(votes),
    )
    expect(moved * z).toBeGreaterThan(0.998)
    expect(moved * z).toBeLessThanOrEqual(1)
  })

  it("is the paper's split: z_delta = (z^-2 - (2 sigma_b)^-2)^(-1/2), with 2 sigma_b the noise of votes of 1", () => {
    const { sum, votes } = splitNoise(0.9, { countShare: 0.05 })
    expect(sum).toBeCloseTo((0.9 ** -2 - votes ** -2) ** -0.5, 12)
    expect(splitNoise(0.9, undefined).sum).toBe(0.9)
  })

  it.each([0, 1, -0.1, Number.NaN])('refuses a countShare of %d, which leaves one part without noise', (countShare) => {
    expect(() => splitNoise(1, { countShare })).toThrow('NOISE_INVALID')
  })
})

describe('the noise of the votes', () => {
  const draws = 120
  /** The variance of so many Gaussians is within a factor of 1.5 of the right one, and 9/4 is not. */
  const expectFit = (shares: readonly number[], scale: number) => {
    const variance = shares.reduce((sum, share) => sum + (share - 0.5) ** 2, 0) / shares.length / scale ** 2
    expect(variance).toBeGreaterThan(1 / 1.5)
    expect(variance).toBeLessThan(1.5)
  }

  it.each([0.7, 2.5])('is really drawn in rounds of a client at multiplier %d, not 2/3 or 3/2 of it', async (z) => {
    const one = async () => {
      const round = privateRound({}, { ...RECORD_EVENT, noiseMultiplier: z })
      round.drawLot(0)
      await round.step(beginClippedSum({ specs: SPECS, clipNorm: 1 }).finish())
      return (await round.finish()).shareUnderClip!
    }
    const shares = await Promise.all(Array.from({ length: draws }, one))
    expectFit(shares, z / Math.sqrt(ADAPTIVE.countShare) / (2 * 8))
  })

  it('is really drawn in rounds of the coordinator', () => {
    const shares = Array.from({ length: draws }, () => clientRound(0.7).finish().shareUnderClip!)
    expectFit(shares, 0.7 / Math.sqrt(ADAPTIVE.countShare) / (2 * 8))
  })

  it('takes its part from the gradients: their noise is larger by 1 / sqrt(1 - countShare)', async () => {
    const specs = [{ name: 'b', shape: [60_000] }]
    const spread = async (adaptiveClipping?: typeof ADAPTIVE) => {
      const start = specs.map(zerosLike)
      const round = beginPrivateRound({
        specs,
        start,
        reservation: reservation(RECORD_EVENT),
        source,
        clipNorm: 1,
        noiseMultiplier: 0.7,
        sampleRate: 0.1,
        steps: 1,
        learningRate: 0.5,
        expectedLotSize: 8,
        ...(adaptiveClipping && { adaptiveClipping }),
      })
      round.drawLot(0)
      await round.step(beginClippedSum({ specs, clipNorm: 1 }).finish())
      return Math.sqrt((await round.finish()).tensors[0]!.data.reduce((sum, value) => sum + value * value, 0) / 60_000)
    }
    const ratio = (await spread({ ...ADAPTIVE, countShare: 0.5 })) / (await spread())
    expect(ratio).toBeGreaterThan(Math.SQRT2 * 0.97)
    expect(ratio).toBeLessThan(Math.SQRT2 * 1.03)
  })
})

/** The votes of records of one coordinate with these values. */
function votesOn(norms: Iterable<number>, clipNorm: number): number {
  const sum = beginClippedSum({ specs: [{ name: 'b', shape: [1] }], clipNorm })
  for (const norm of norms) sum.add([Float64Array.of(norm)])
  return sum.finish().votes
}

describe('votes', () => {
  it('are +1 at or below the clip norm and -1 above it', () => {
    expect(votesOn([0, 0.5, 1, 1.0001, 7], 1)).toBe(1)
    expect(votesOn([], 1)).toBe(0)
  })

  it('trap: a norm that is no number votes by an accident of comparison. It votes as one above, and nothing throws', () => {
    for (const norm of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(votesOn([1, norm], 1)).toBe(0)
      expect(votesOn([norm], 1)).toBe(-1)
    }
  })

  it('let the clip norm in force differ from the reserved one with adaptive clipping, and only then', () => {
    expect(privateRound({ clipNorm: 3 }).stepsDone).toBe(0)
    expect(() => privateRound({ clipNorm: 3, adaptiveClipping: undefined })).toThrow('TERMS_CHANGED')
    expect(() => privateRound({ clipNorm: Number.NaN })).toThrow('TERMS_CHANGED')
    expect(() => privateRound({ clipNorm: 0 })).toThrow('TERMS_CHANGED')
  })
})

describe('adaptedClipNorm', () => {
  it.each([0.2, 0.5, 0.8])('finds the %d quantile of log-normal norms from far off, through the noise', (quantile) => {
    const bits = new RandomBits(seededSource('norms'))
    const normal = new Float32Array(40_000)
    fillGaussian(bits, normal)
    const norms = Float64Array.from(normal, Math.exp)
    const target = norms.toSorted()[Math.floor(quantile * norms.length)]!
    for (const start of [target * 50, target / 50]) {
      let clipNorm = start
      for (let round = 0; round < 150; round++) {
        const lot = norms.subarray(200 * round, 200 * (round + 1))
        const noised = new Float32Array(1)
        fillGaussian(bits, noised)
        const noise = noised[0]! * voteSigma(splitNoise(1, ADAPTIVE).votes)
        const share = shareUnder(votesOn(lot, clipNorm) * VOTE_UNIT + noise, 200)
        clipNorm = adaptedClipNorm(clipNorm, [share], { ...ADAPTIVE, quantile }, start)
      }
      expect(Math.abs(Math.log(clipNorm / target))).toBeLessThan(0.35)
    }
  })

  it('moves by at most learningRate whatever is sent, and stays within 2^20 of its start', () => {
    const settings = { ...ADAPTIVE, quantile: 0.5 }
    expect(adaptedClipNorm(2, [1e30], settings, 2)).toBeCloseTo(2 * Math.exp(-0.1), 12)
    expect(adaptedClipNorm(2, [-1e30, 0.5], settings, 2)).toBeCloseTo(2 * Math.exp(0.05), 12)
    expect(adaptedClipNorm(2, [], settings, 2)).toBe(2)
    expect(adaptedClipNorm(2 ** 20, [0], settings, 1)).toBe(2 ** 20)
  })
})
