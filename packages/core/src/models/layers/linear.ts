import { type GraphBuilder, ops, type Value } from '../../autodiff/index.ts'
import { type Checkpoint, frozen } from './parameters.ts'

/** The factors of one adapted layer as inputs of the graph: A is [rank, dIn], B is [dOut, rank]. */
export interface LoraFactors {
  readonly a: Value
  readonly b: Value
}

/** Which layers carry factors, and the factor `alpha / rank` that multiplies B A. */
export interface LoraAdapters {
  readonly scale: number
  readonly factors: ReadonlyMap<string, LoraFactors>
}

/**
 * `x W0 + bias`, or `x (W0 + scale * (B A)^T) + bias` where the layer is adapted. W0 is stored as [dIn, dOut].
 *
 * The factors are merged into the weight inside the graph: that costs rank * dIn * dOut multiplications a run, where
 * passing every token through the factors would cost rank * (dIn + dOut) a token. B = 0 gives W0 bit for bit.
 */
export function linear(
  g: GraphBuilder,
  x: Value,
  layer: { readonly name: string; readonly dIn: number; readonly dOut: number },
  checkpoint: Checkpoint,
  adapters: LoraAdapters,
): Value {
  const { name, dIn, dOut } = layer
  const weight = frozen(g, checkpoint, `${name}.weight`, [dIn, dOut])
  const bias = frozen(g, checkpoint, `${name}.bias`, [dOut])
  const lora = adapters.factors.get(name)
  const merged = lora
    ? ops.gemm(g, lora.a, lora.b, weight, { alpha: adapters.scale, transA: true, transB: true })
    : weight
  return ops.add(g, ops.matmul(g, x, merged), bias)
}
