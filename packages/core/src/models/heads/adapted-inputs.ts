import { BATCH, type GraphBuilder, SEQUENCE, type Value } from '../../autodiff/index.ts'
import type { TensorSpec } from '../../tensor/index.ts'

interface AdaptedLayers {
  readonly layers: readonly { readonly name: string; readonly dIn: number; readonly dOut: number }[]
  readonly rank: number
}

/**
 * The inputs that every graph of an adapted model has: the factors of its layers, then `tokenIds` and `typeIds`.
 * `parameter` adds another trained tensor; `parameters` has all of them by name, in the order in which they were added.
 */
export function adaptedInputs(
  g: GraphBuilder,
  { layers, rank }: AdaptedLayers,
  supply: (spec: TensorSpec) => Value = ({ name, shape }) => g.input(name, 'float32', shape),
) {
  const parameters = new Map<string, Value>()
  const parameter = (spec: TensorSpec): Value => {
    const value = supply(spec)
    parameters.set(spec.name, value)
    return value
  }
  const factors = new Map(
    layers.map(({ name, dIn, dOut }) => {
      const a = parameter({ name: `${name}.lora_A.weight`, shape: [rank, dIn] })
      const b = parameter({ name: `${name}.lora_B.weight`, shape: [dOut, rank] })
      return [name, { a, b }]
    }),
  )
  const [tokenIds, typeIds] = (['tokenIds', 'typeIds'] as const).map((name) =>
    g.input(name, 'int32', [BATCH, SEQUENCE]),
  ) as [Value, Value]
  return { parameters, parameter, factors, tokenIds, typeIds }
}
