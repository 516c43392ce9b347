import { describe, expect, it } from 'vitest'
import { fromRowMajor, multiply, transpose } from '../linalg/index.ts'
import { type AdapterSchema, type AdapterState, refactoriseLayer } from '../lora/index.ts'
import type { NamedTensor } from '../tensor/index.ts'
import { beginMean } from './aggregation/running-mean.ts'
import { serverStep } from './server-step.ts'

/*
 * A problem small enough to follow: one layer W = B A, one record (x, y) per step, loss |B A x - y|^2 / 2.
 * grad_B = (B A x - y) (A x)^T, clipped to norm C. Noise N is drawn once as a dOut x dIn matrix and enters as N A^T,
 * which for an orthonormal A is standard Gaussian noise on B, and is the same noise on B A in every basis of the same
 * row space.
 */
const [rank, dIn, dOut] = [3, 6, 5]
const schema: AdapterSchema = {
  rank,
  alpha: rank,
  headMode: 'frozen',
  head: [],
  layers: [{ name: 'layer', dIn, dOut }],
}
const clipNorm = 0.7
const learningRate = 0.3

function pseudoRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48271) % 2147483647
    return (state / 2147483647) * 2 - 1
  }
}

const matrixOf = (count: number, next: () => number) => Float64Array.from({ length: count }, next)

function startState(): AdapterState {
  const a: NamedTensor = {
    name: 'layer.lora_A.weight',
    shape: [rank, dIn],
    data: Float32Array.from(matrixOf(rank * dIn, pseudoRandom(11))),
  }
  const zero: NamedTensor = { name: 'layer.lora_B.weight', shape: [dOut, rank], data: new Float32Array(dOut * rank) }
  const { aTransposed } = refactoriseLayer(a, zero)
  return { basis: 0, head: [], a: [{ ...a, data: Float32Array.from(aTransposed.data) }], b: [zero] }
}

function localDelta(state: AdapterState, seed: number): NamedTensor[] {
  const next = pseudoRandom(seed)
  const x = fromRowMajor(dIn, 1, matrixOf(dIn, next))
  const y = fromRowMajor(dOut, 1, matrixOf(dOut, next))
  const noise = fromRowMajor(dOut, dIn, matrixOf(dOut * dIn, next))
  const a = fromRowMajor(rank, dIn, state.a[0]!.data)
  const b = fromRowMajor(dOut, rank, state.b[0]!.data)
  const features = multiply(a, x)
  const residual = multiply(b, features)
  for (let row = 0; row < dOut; row += 1) residual.data[row] = residual.data[row]! - y.data[row]!
  const gradient = multiply(residual, transpose(features))
  const norm = Math.hypot(...gradient.data)
  const factor = Math.min(1, clipNorm / norm)
  const noiseOnB = multiply(noise, transpose(a))
  const data = new Float32Array(dOut * rank)
  for (let row = 0; row < dOut; row += 1) {
    for (let index = 0; index < rank; index += 1) {
      const at = index * dOut + row
      data[row * rank + index] = -learningRate * (factor * gradient.data[at]! + 0.2 * noiseOnB.data[at]!)
    }
  }
  return [{ ...state.b[0]!, data }]
}

/** The product B A after `rounds` rounds of two clients, re-factorised after each `period`-th round. */
function trajectory(rounds: number, period: number): Float64Array {
  let state = startState()
  for (let round = 0; round < rounds; round += 1) {
    const mean = beginMean([state.b[0]!])
    for (const client of [1, 2]) mean.add(localDelta(state, 1000 * (round + 1) + 7 * client))
    const method = (round + 1) % period === 0 ? 'fedsvd' : 'ffa-lora'
    state = serverStep({ manifest: { method, adapter: schema }, state, mean: mean.mean() }).state
  }
  return multiply(fromRowMajor(dOut, rank, state.b[0]!.data), fromRowMajor(rank, dIn, state.a[0]!.data)).data
}

describe('the step of the coordinator', () => {
  it('makes no difference to B A how often it re-factorises, under plain SGD with one flat clip', () => {
    const never = trajectory(30, 1000)
    for (const period of [1, 2, 5]) {
      const product = trajectory(30, period)
      for (const [index, value] of product.entries()) expect(value).toBeCloseTo(never[index]!, 5)
    }
    expect(Math.hypot(...never)).toBeGreaterThan(0.5)
  })

  it('moves the basis for fedsvd and leaves it for ffa-lora', () => {
    const state = startState()
    const mean = localDelta(state, 5)
    const svd = serverStep({ manifest: { method: 'fedsvd', adapter: schema }, state, mean })
    const ffa = serverStep({ manifest: { method: 'ffa-lora', adapter: schema }, state, mean })
    expect(svd.state.basis).toBe(1)
    expect(ffa.state.basis).toBe(0)
    expect(ffa.state.a).toBe(state.a)
    expect(svd.spectra).toEqual(ffa.spectra)
  })

  it('adds the mean to a trained head and leaves a frozen one alone', () => {
    const head: NamedTensor = { name: 'classifier.weight', shape: [2, 2], data: Float32Array.of(1, 1, 1, 1) }
    const state = { ...startState(), head: [head] }
    const mean = [...localDelta(state, 5), { ...head, data: Float32Array.of(1, 0, -1, 2) }]
    const trained = serverStep({
      manifest: { method: 'fedsvd', adapter: { ...schema, head: [head], headMode: 'trained' } },
      state,
      mean,
    })
    const frozen = serverStep({
      manifest: { method: 'fedsvd', adapter: { ...schema, head: [head] } },
      state,
      mean: mean.slice(0, 1),
    })
    expect(Array.from(trained.state.head[0]!.data)).toEqual([2, 1, 0, 3])
    expect(frozen.state.head[0]).toBe(head)
  })
})

describe('the running mean', () => {
  const spec = { name: 'w', shape: [2] }
  it('weighs every update equally', () => {
    const mean = beginMean([spec])
    for (const values of [
      [1, 2],
      [3, 6],
      [5, 1],
    ])
      mean.add([{ ...spec, data: Float32Array.from(values) }])
    expect(Array.from(mean.mean()[0]!.data)).toEqual([3, 3])
    expect(mean.count).toBe(3)
  })

  it('adds nothing of an update that does not fit', () => {
    const mean = beginMean([spec, { name: 'v', shape: [1] }])
    expect(() => mean.add([{ ...spec, data: Float32Array.of(9, 9) }])).toThrow(
      /SHAPE_MISMATCH: expected v of shape \[1\], got no tensor/,
    )
    mean.add([
      { ...spec, data: Float32Array.of(1, 2) },
      { name: 'v', shape: [1], data: Float32Array.of(3) },
    ])
    expect(mean.mean().map(({ data }) => Array.from(data))).toEqual([[1, 2], [3]])
  })

  it('refuses the mean of nothing', () => {
    expect(() => beginMean([spec]).mean()).toThrow(/RUN_STATE/)
  })
})
