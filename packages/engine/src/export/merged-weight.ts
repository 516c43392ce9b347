import { type AdapterSchema, type AdapterState, specOfA, specOfB } from '@fedsvd/core/lora'
import type { NamedTensor } from '@fedsvd/core/tensor'

/** The factors of a layer by the name of its weight, with the factor that multiplies B A. */
export interface Factors {
  readonly a: NamedTensor
  readonly b: NamedTensor
  readonly scale: number
}

/** Each adapted weight, such as `bert.pooler.dense.weight`, and its factors. */
export function factorsByWeight(schema: AdapterSchema, state: AdapterState): ReadonlyMap<string, Factors> {
  const a = new Map(state.a.map((tensor) => [tensor.name, tensor]))
  const b = new Map(state.b.map((tensor) => [tensor.name, tensor]))
  const scale = schema.alpha / schema.rank
  return new Map(
    schema.layers.map((layer) => [
      `${layer.name}.weight`,
      { a: a.get(specOfA(schema, layer).name)!, b: b.get(specOfB(schema, layer).name)!, scale },
    ]),
  )
}

/**
 * `W0 + scale * B A`, summed in float64 and rounded once. W0 is [dOut, dIn], or [dIn, dOut] where `fanInFanOut` says
 * so, as PEFT calls it.
 */
export function mergedWeight(w0: Float32Array, { a, b, scale }: Factors, fanInFanOut = false): Float32Array {
  const [rank, dIn] = a.shape as [number, number]
  const dOut = b.shape[0]!
  const merged = new Float32Array(w0.length)
  const row = new Float64Array(dIn)
  for (let out = 0; out < dOut; out++) {
    row.fill(0)
    for (let k = 0; k < rank; k++) {
      const factor = b.data[out * rank + k]! * scale
      for (let into = 0; into < dIn; into++) row[into]! += factor * a.data[k * dIn + into]!
    }
    for (let into = 0; into < dIn; into++) {
      const at = fanInFanOut ? into * dOut + out : out * dIn + into
      merged[at] = w0[at]! + row[into]!
    }
  }
  return merged
}
