import { type AdapterState, initialState, trainedSpecs } from '@fedsvd/core/lora'
import { GRID_BITS, gridOf, squaredBound } from '@fedsvd/core/privacy'
import { createStarterEngine } from '@fedsvd/starter'
import { waveNamed } from '@fedsvd/testing/core/models'
import { type LotResult, lotResult, total } from '@fedsvd/testing/engine/training'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EncodedRecord, TrainingEngine } from './training-engine.ts'

const OPTIONS = { rank: 4, alpha: 8, headMode: 'trained', classes: 2, threads: 1 } as const

/** Records of the given lengths with irregular token ids. */
const recordsOf = (lengths: readonly number[], key = 1): EncodedRecord[] =>
  lengths.map((length, n) => ({
    tokenIds: Int32Array.from({ length }, (_, t) => (7919 * (n + key) + 104_729 * t * (t + n)) % 8000),
    label: n % 2,
  }))

/** A state in which every trained tensor matters. */
const stateOf = ({ schema }: TrainingEngine): AdapterState => {
  const initial = initialState(schema, { seed: 'lot' })
  return {
    ...initial,
    b: initial.b.map((spec, index) => waveNamed(index, spec, 0.05)),
    head: initial.head.map((spec, index) => waveNamed(100 + index, spec, 0.05)),
  }
}

describe('clippedLotSum', () => {
  let engine: TrainingEngine
  let state: AdapterState
  beforeAll(async () => {
    engine = await createStarterEngine(OPTIONS)
    state = stateOf(engine)
  })
  afterAll(async () => await engine[Symbol.asyncDispose]())

  it('of a lot is the sum over batches of one, integer for integer', async () => {
    const records = recordsOf([3, 17, 9, 40, 1, 25, 128, 61])
    const together = await lotResult(engine, records, state, 5)
    const apart: LotResult[] = []
    for (const record of records) apart.push(await lotResult(engine, [record], state, 5))
    expect(total(apart)).toEqual(together.gridSum)
    expect(Float64Array.from(apart, ({ norms }) => norms[0]!)).toEqual(together.norms)
    expect(Float32Array.from(apart, ({ losses }) => losses[0]!)).toEqual(together.losses)
  })

  it("changes by a record's own contribution when it joins, although micro-batches and padding change", async () => {
    const others = recordsOf([5, 9, 14, 18, 30, 33])
    const [joining] = recordsOf([100], 9)
    const before = await lotResult(engine, others, state, 5)
    const after = await lotResult(engine, [...others.slice(0, 3), joining!, ...others.slice(3)], state, 5)
    const own = await lotResult(engine, [joining!], state, 5)
    expect(total([before, own])).toEqual(after.gridSum)
  })

  it('does not depend on the order of the records, and reports norms and losses in input order', async () => {
    const records = recordsOf([12, 4, 30, 4, 8])
    const forwards = await lotResult(engine, records, state, 5)
    const backwards = await lotResult(engine, [...records].reverse(), state, 5)
    expect(backwards.gridSum).toEqual(forwards.gridSum)
    expect(backwards.norms.toReversed()).toEqual(forwards.norms)
    expect(backwards.losses.toReversed()).toEqual(forwards.losses)
  })

  it('holds integers, and with the same call the same integers', async () => {
    const records = recordsOf([5, 11, 7])
    const [first, second] = [await lotResult(engine, records, state, 2), await lotResult(engine, records, state, 2)]
    expect(first.gridSum.every((tensor) => tensor.every(Number.isInteger))).toBe(true)
    expect(second).toEqual(first)
  })

  it.each([0.5, 5, 500])('bounds a record by clipNorm %d, and never scales it up', async (clipNorm) => {
    for (const record of recordsOf([1, 6, 33])) {
      const { gridSum, norms } = await lotResult(engine, [record], state, clipNorm)
      const squares = gridSum.reduce((sum, tensor) => sum + tensor.reduce((s, x) => s + x * x, 0), 0)
      const dimension = gridSum.reduce((sum, tensor) => sum + tensor.length, 0)
      expect(squares).toBeLessThanOrEqual(squaredBound({ dimension, gridBits: GRID_BITS }))
      expect(Math.abs(Math.sqrt(squares) * gridOf(clipNorm) - Math.min(norms[0]!, clipNorm))).toBeLessThan(
        (Math.sqrt(dimension) / 2) * gridOf(clipNorm) + 2e-6 * clipNorm,
      )
    }
  })

  it('of no records is zeros of the right sizes', async () => {
    const { gridSum, norms, losses } = await lotResult(engine, [], state, 1)
    expect(gridSum.map(({ length }) => length)).toEqual(
      trainedSpecs(engine.schema).map(({ shape }) => shape.reduce((product, size) => product * size, 1)),
    )
    expect(gridSum.every((tensor) => tensor.every((integer) => integer === 0))).toBe(true)
    expect([norms.length, losses.length]).toEqual([0, 0])
  })

  it('takes more records than one micro-batch may hold, and stays the sum of its parts', async () => {
    const records = recordsOf(Array.from({ length: 73 }, (_, index) => 1 + (index % 3)))
    const whole = await lotResult(engine, records, state, 5)
    const halves = [
      await lotResult(engine, records.slice(0, 40), state, 5),
      await lotResult(engine, records.slice(40), state, 5),
    ]
    expect(total(halves)).toEqual(whole.gridSum)
    expect(whole.norms).toHaveLength(records.length)
    expect(whole.norms.every((norm) => norm > 0)).toBe(true)
  })

  it('runs calls that overlap one after the other', async () => {
    const [one, two] = [recordsOf([4]), recordsOf([6], 3)]
    const alone = [await lotResult(engine, one, state, 1), await lotResult(engine, two, state, 1)]
    expect(await Promise.all([lotResult(engine, one, state, 1), lotResult(engine, two, state, 1)])).toEqual(alone)
  })

  it('gives every trained tensor a gradient, and one flat norm covers them all', async () => {
    const record = recordsOf([20])
    const { norms } = await lotResult(engine, record, state, 1)
    const clipNorm = 1.01 * norms[0]!
    const { gridSum } = await lotResult(engine, record, state, clipNorm)
    const shares = gridSum.map((tensor) => Math.hypot(...tensor) * gridOf(clipNorm))
    expect(Math.min(...shares)).toBeGreaterThan(0)
    expect(Math.hypot(...shares) / norms[0]!).toBeCloseTo(1, 5)
  })

  it('follows the loss: a small step against the sum lowers it by about step * norm^2', async () => {
    const record = recordsOf([15])
    const { gridSum, norms, losses } = await lotResult(engine, record, state, 1e3)
    const step = 1e-4
    const moved = <T extends { data: Float32Array }>(tensor: T, integers: Float64Array): T => ({
      ...tensor,
      data: tensor.data.map((value, index) => value - step * integers[index]! * gridOf(1e3)),
    })
    const after: AdapterState = {
      ...state,
      b: state.b.map((tensor, index) => moved(tensor, gridSum[index]!)),
      head: state.head.map((tensor, index) => moved(tensor, gridSum[state.b.length + index]!)),
    }
    const drop = losses[0]! - (await lotResult(engine, record, after, 1)).losses[0]!
    expect(drop / (step * norms[0]! ** 2)).toBeGreaterThan(0.9)
    expect(drop / (step * norms[0]! ** 2)).toBeLessThan(1.1)
  })
})

describe('a frozen head', () => {
  it('is not trained: the sum has the factors only, and the loss still depends on the head', async () => {
    await using engine = await createStarterEngine({ ...OPTIONS, headMode: 'frozen', targets: ['attention.qkv'] })
    const state = stateOf(engine)
    const { gridSum, losses } = await lotResult(engine, recordsOf([10]), state, 1)
    expect(gridSum.map(({ length }) => length)).toEqual([768 * 4, 1536 * 4])
    const other = { ...state, head: state.head.map((spec) => waveNamed(7, spec, 0.1)) }
    expect((await lotResult(engine, recordsOf([10]), other, 1)).losses[0]).not.toBe(losses[0])
  })
})

describe('what the training graph gives to the runtime', () => {
  it('a runner sees one graph with the whole step: losses and gradients from tokens, labels and factors', async () => {
    const seen: string[][] = []
    await using engine = await createStarterEngine({
      ...OPTIONS,
      createRunner: async (graph) => {
        seen.push(graph.inputs.map(({ name }) => name))
        throw new Error('seen enough')
      },
    })
    await expect(lotResult(engine, recordsOf([2]), stateOf(engine), 1)).rejects.toThrow(/seen enough/)
    expect(seen[0]).toEqual(expect.arrayContaining(['tokenIds', 'labels', 'classifier.weight']))
  })
})
