import { BATCH, type GraphBuilder, ops, SEQUENCE, type Value } from '../../autodiff/index.ts'
import type { TensorSpec } from '../../tensor/index.ts'

interface AdaptedLayers {
  readonly layers: readonly { readonly name: string; readonly dIn: number; readonly dOut: number }[]
  readonly rank: number
}

/** Token ids and type ids as models read them, [N, T] int32: see `EncoderInputs`. */
interface TokenInputs {
  readonly tokenIds: Value
  readonly typeIds: Value
}

/** What is supplied from outside, and what is inside. */
export interface InputSources {
  /** A trained tensor; default: an input under its own name. */
  readonly supply?: (spec: TensorSpec) => Value
  /** Default: inputs `tokenIds` and `typeIds`. */
  readonly tokens?: (g: GraphBuilder) => TokenInputs
}

/**
 * The inputs that every graph of an adapted model has: the factors of its layers, then `tokenIds` and `typeIds`.
 * `parameter` adds another trained tensor; `parameters` has all of them by name, in the order in which they were added.
 */
export function adaptedInputs(
  g: GraphBuilder,
  { layers, rank }: AdaptedLayers,
  { supply = ({ name, shape }) => g.input(name, 'float32', shape), tokens = idsAsModelsReadThem }: InputSources = {},
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
  return { parameters, parameter, factors, ...tokens(g) }
}

function idsAsModelsReadThem(g: GraphBuilder): TokenInputs {
  const [tokenIds, typeIds] = (['tokenIds', 'typeIds'] as const).map((name) =>
    g.input(name, 'int32', [BATCH, SEQUENCE]),
  ) as [Value, Value]
  return { tokenIds, typeIds }
}

/**
 * Inputs as Hugging Face's tokenizers give them and its libraries feed them: `input_ids`, `attention_mask` (1 at
 * tokens, 0 at the padding after them) and `token_type_ids`, [N, T] int64.
 */
export function idsOfTokenizers(g: GraphBuilder): TokenInputs {
  const [ids, mask, typeIds] = (['input_ids', 'attention_mask', 'token_type_ids'] as const).map((name) =>
    ops.toInt32(g, g.input(name, 'int64', [BATCH, SEQUENCE])),
  ) as [Value, Value, Value]
  // id * mask + mask - 1: the id at a token, PADDING_ID (-1) elsewhere
  const shifted = ops.add(g, ops.mul(g, ids, mask), mask)
  return { tokenIds: ops.sub(g, shifted, ops.reshape(g, g.indices([1]), [])), typeIds }
}
