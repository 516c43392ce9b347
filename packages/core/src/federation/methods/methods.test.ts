import { describe, expect, it } from 'vitest'
import { type AdapterSchema, type AdapterState, initialState } from '../../lora/index.ts'
import { serverStep } from '../server-step.ts'
import type { Method } from './method.ts'
import { methods, registerMethod } from './methods.ts'

const schema: AdapterSchema = {
  rank: 2,
  alpha: 2,
  headMode: 'trained',
  head: [{ name: 'head.weight', shape: [2, 3] }],
  layers: [{ name: 'layer', dIn: 4, dOut: 3 }],
}
const state = initialState(schema, { seed: 'methods' })
const mean = [
  { ...state.b[0]!, data: Float32Array.of(1, 0, 0, 2, 0, 0) },
  { ...state.head[0]!, data: new Float32Array(6).fill(0.5) },
]
const step = (method: string) => serverStep({ manifest: { method, adapter: schema }, state, mean })

/** A method that makes what is given of the state after the update. */
function registered(name: string, change: (updated: AdapterState) => Partial<AdapterState>): string {
  const method: Method = { name, next: ({ updated }) => ({ ...updated, ...change(updated) }) }
  registerMethod(method)
  return name
}

describe('a method that is registered', () => {
  it('makes the next state of the update and of its re-factorisation, and begins a basis where A is another', () => {
    const halved = registered('halved', ({ a }) => ({
      a: a.map((tensor) => ({ ...tensor, data: tensor.data.map((value) => value / 2) })),
    }))
    expect(methods.names).toEqual(['fedsvd', 'ffa-lora', 'halved'])
    const { state: next, spectra } = step(halved)
    expect(next.basis).toBe(1)
    expect(next.b[0]!.data).toEqual(mean[0]!.data)
    expect(next.a[0]!.data).toEqual(state.a[0]!.data.map((value) => value / 2))
    expect([...spectra[0]!].map((value) => Math.round(value * 1e5) / 1e5)).toEqual([2, 1])
    expect(step(registered('same-a', () => ({ basis: 7 }))).state.basis).toBe(0)
  })

  it('may make no other tensors, and no numbers that are none', () => {
    const short = registered('short', () => ({ b: [] }))
    expect(() => step(short)).toThrow(/ADAPTER_INVALID/)
    const infinite = registered('infinite', ({ b }) => ({
      b: [{ ...b[0]!, data: new Float32Array(6).fill(Number.POSITIVE_INFINITY) }],
    }))
    expect(() => step(infinite)).toThrow(/NOT_FINITE.*from the method infinite.*layer\.lora_B/)
    expect(() => registerMethod({ name: 'fedsvd', next: ({ updated }) => updated })).toThrow(/CONFIG_INVALID/)
  })

  it('that is not here is not guessed at', () => {
    expect(() => step('fedsvt')).toThrow(/CONFIG_INVALID.*did you mean fedsvd\?.*--extension/)
  })
})
