import { FedsvdError } from '../errors.ts'
import type { DenseTensor } from './dense.ts'
import { KERNELS } from './kernels.ts'
import { formatShape, type Graph, type Value } from './value.ts'

/**
 * Runs a graph in float64 with the plain kernels of this folder, and checks every result against the shape that the
 * graph declares for it.
 *
 * It is the reference for runtimes and derivative rules, exact enough for finite differences, and hundreds of times
 * slower than a runtime. Throws GRAPH_INVALID when an input is missing or a shape is not what was declared.
 */
export function interpret(
  graph: Graph,
  inputs: Readonly<Record<string, DenseTensor>>,
): Readonly<Record<string, DenseTensor>> {
  const symbols = new Map<string, number>()
  const known = new Map<string, DenseTensor>()
  const define = (value: Value, tensor: DenseTensor | undefined) => {
    if (!tensor || !matches(value, tensor, symbols)) throw unexpected(value, tensor)
    known.set(value.name, tensor)
  }
  for (const constant of graph.constants) {
    define(constant, {
      shape: constant.shape,
      data: Float64Array.from(constant.data as Iterable<number | bigint>, Number),
    })
  }
  for (const input of graph.inputs) define(input, inputs[input.name])
  for (const { op, inputs: used, outputs, attributes } of graph.operations) {
    const results = KERNELS[op](
      used.map(({ name }) => known.get(name)!),
      attributes,
    )
    for (const [index, output] of outputs.entries()) define(output, results[index])
  }
  return Object.fromEntries(graph.outputs.map(({ name }) => [name, known.get(name)!]))
}

/** Whether a tensor has the declared shape; a symbol stands for the first size it meets. */
function matches({ shape }: Value, tensor: DenseTensor, symbols: Map<string, number>): boolean {
  if (shape.length !== tensor.shape.length) return false
  return shape.every((dim, axis) => {
    const size = tensor.shape[axis]!
    if (typeof dim === 'number') return dim === size
    if (!symbols.has(dim)) symbols.set(dim, size)
    return symbols.get(dim) === size
  })
}

function unexpected({ name, shape }: Value, tensor: DenseTensor | undefined): FedsvdError {
  return new FedsvdError('GRAPH_INVALID', {
    expected: `"${name}" of shape ${formatShape(shape)}`,
    got: tensor ? formatShape(tensor.shape) : 'no tensor',
    remedy: 'Correct the inputs or the model.',
  })
}
