import { formatShape, type GraphBuilder, type Value } from '../../autodiff/index.ts'
import { FedsvdError } from '../../errors.ts'
import type { NamedTensor } from '../../tensor/index.ts'

/**
 * The frozen tensors of a checkpoint under the names that the model uses, such as `encoder.layer.0.ffn.conv1.weight`.
 */
export type Checkpoint = ReadonlyMap<string, NamedTensor>

/** A tensor of the checkpoint. Throws CHECKPOINT_INVALID when it is absent or of another shape. */
export function tensorOf(checkpoint: Checkpoint, name: string, shape: readonly number[]): NamedTensor {
  const tensor = checkpoint.get(name)
  if (!tensor || formatShape(tensor.shape) !== formatShape(shape)) {
    throw new FedsvdError('CHECKPOINT_INVALID', {
      expected: `a tensor "${name}" of shape ${formatShape(shape)}`,
      got: tensor ? `shape ${formatShape(tensor.shape)}` : 'no such tensor',
      remedy: 'Use the checkpoint that belongs to this model.',
    })
  }
  return { ...tensor, name }
}

/** A tensor of the checkpoint as a constant of the graph: it is read, never trained. */
export function frozen(g: GraphBuilder, checkpoint: Checkpoint, name: string, shape: readonly number[]): Value {
  return g.weight(tensorOf(checkpoint, name, shape))
}
