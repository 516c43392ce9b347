import type { AdapterSchema } from '@fedsvd/core/lora'
import { MANIFEST_DEFAULTS } from '@fedsvd/core/protocol'
import type { NamedTensor } from '@fedsvd/core/tensor'
import type { CheckpointFolder } from '../weights/huggingface/index.ts'

export interface HeadRequest {
  readonly schema: AdapterSchema
  readonly labels: readonly string[]
  /**
   * Multiplies what the output layer sees in the run; the weight is divided by it, so that the logits stay the same.
   */
  readonly featureScale?: number | undefined
}

/**
 * The head that a checkpoint was trained with, where it has one of the sizes that the run's head has; else undefined.
 *
 * Where config.json names the checkpoint's classes and they are the run's labels in another order, the output layer's
 * rows are put into the run's order.
 */
export async function checkpointHead(
  checkpoint: Pick<CheckpointFolder, 'config' | 'tensors'>,
  { schema, labels, featureScale = MANIFEST_DEFAULTS.featureScale }: HeadRequest,
): Promise<readonly NamedTensor[] | undefined> {
  const names = new Set(schema.head.map(({ name }) => name))
  const found = await checkpoint.tensors((name) => names.has(name))
  const head = schema.head.flatMap(({ name, shape }) => {
    const tensor = found.get(name)
    return tensor && String(tensor.shape) === String(shape) ? [tensor] : []
  })
  if (head.length === 0 || head.length < schema.head.length) return undefined
  const order = rowOrder(checkpoint.config.id2label, labels)
  const output = schema.head.findLast(({ name }) => name.endsWith('.weight'))!.name
  return head.map((tensor) => {
    const isOutput = tensor.name.slice(0, tensor.name.lastIndexOf('.')) === output.slice(0, output.lastIndexOf('.'))
    const sorted = isOutput ? withRows(tensor, order) : tensor
    return tensor.name === output ? { ...sorted, data: sorted.data.map((value) => value / featureScale) } : sorted
  })
}

/** Row i of the run is row `order[i]` of the checkpoint. */
function rowOrder(id2label: unknown, labels: readonly string[]): readonly number[] {
  const classes = Object.entries((id2label ?? {}) as Record<string, unknown>)
  const rowOf = new Map(classes.map(([id, label]) => [String(label), Number(id)]))
  const order = labels.map((label) => rowOf.get(label))
  const isPermutation =
    new Set(order).size === labels.length && order.every((row) => row !== undefined && row < labels.length)
  return isPermutation ? (order as number[]) : labels.map((_, index) => index)
}

function withRows({ name, shape, data }: NamedTensor, order: readonly number[]): NamedTensor {
  const width = data.length / order.length
  const sorted = new Float32Array(data.length)
  order.forEach((row, index) => {
    sorted.set(data.subarray(row * width, (row + 1) * width), index * width)
  })
  return { name, shape, data: sorted }
}
