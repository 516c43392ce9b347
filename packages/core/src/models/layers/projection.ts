import { type GraphBuilder, ops, type Value } from '../../autodiff/index.ts'
import type { LoraAdapters } from './linear.ts'
import type { LinearLayer } from './linear-layer.ts'
import { type Checkpoint, frozen } from './parameters.ts'

export interface ProjectionLayer extends LinearLayer {
  readonly bias: boolean
}

/**
 * `x W0^T`, or `x (W0 + scale * B A)^T` where the layer is adapted, plus the bias where the layer has one. W0 is stored
 * as [dOut, dIn], as PyTorch's `Linear` has it. B = 0 gives W0 bit for bit.
 */
export function projection(
  g: GraphBuilder,
  x: Value,
  { name, dIn, dOut, bias }: ProjectionLayer,
  checkpoint: Checkpoint,
  adapters: LoraAdapters,
): Value {
  const weight = frozen(g, checkpoint, `${name}.weight`, [dOut, dIn])
  const lora = adapters.factors.get(name)
  const merged = lora ? ops.gemm(g, lora.b, lora.a, weight, { alpha: adapters.scale }) : weight
  const product = ops.matmul(g, x, ops.transposeMatrix(g, merged))
  return bias ? ops.add(g, product, frozen(g, checkpoint, `${name}.bias`, [dOut])) : product
}
