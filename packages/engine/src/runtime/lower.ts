import { type Graph, MICROSOFT, type OnnxGraph, type OnnxOperation, type Value } from '@fedsvd/core/autodiff'

/*
 * What onnxruntime's own optimiser does not do to these graphs, because records and places are symbolic:
 *
 * - a product with a transposed matrix takes the matrix as it is and a flag. Otherwise the optimiser stores a
 *   transposed copy of every frozen weight, beside the one that the other direction uses;
 * - a linear layer's product and bias become one Gemm over all places, which saves a pass over the result;
 * - Gelu is taken from onnxruntime's operators, because opset 18 has none.
 *
 * None of it changes in which order the terms of a sum are added, or what a row of a product depends on.
 */

/** The graph as onnxruntime computes it fastest. */
export function forOnnxruntime(graph: Graph): OnnxGraph {
  const uses = countUses(graph)
  const producers = new Map(graph.operations.flatMap((operation) => operation.outputs.map((o) => [o.name, operation])))
  const added = new Map<string, Value>()
  const constants = [...graph.constants]
  const integers = (values: readonly number[]): Value => {
    const name = `lowered.${values.join(',')}`
    const known = added.get(name)
    if (known) return known
    const constant = {
      name,
      dtype: 'int64',
      shape: [values.length],
      data: BigInt64Array.from(values, BigInt),
    } as const
    constants.push(constant)
    added.set(name, constant)
    return constant
  }
  /** The matrix before its transposition, where `matrix` is nothing else. */
  const turned = (matrix: Value): Value | undefined => {
    const producer = producers.get(matrix.name)
    return producer?.op === 'Transpose' && matrix.shape.length === 2 ? producer.inputs[0] : undefined
  }
  const fused = new Set<OnnxOperation>()
  const operations: OnnxOperation[] = []
  for (const operation of graph.operations) {
    const { op, inputs, outputs } = operation
    const product = op === 'Add' ? linearProduct(operation, producers, uses) : undefined
    if (product) {
      const [x, matrix] = product.inputs as [Value, Value]
      const origin = turned(matrix)
      fused.add(product)
      operations.push(...linearLayer(x, origin ?? matrix, origin !== undefined, inputs[1]!, outputs[0]!, integers))
    } else if (op === 'MatMul' && turned(inputs[1]!)) {
      const attributes = { transB: { int: 1 } }
      const origin = turned(inputs[1]!)!
      operations.push({ op: 'FusedMatMul', domain: MICROSOFT, inputs: [inputs[0]!, origin], outputs, attributes })
    } else if (op === 'Gelu') operations.push({ ...operation, domain: MICROSOFT })
    else operations.push(operation)
  }
  return { ...graph, constants, operations: needed(operations, graph.outputs, fused) }
}

type Producers = ReadonlyMap<string, Graph['operations'][number]>

/** The product of places [N, T, k] with a matrix to which an Add adds a bias and which nothing else uses. */
function linearProduct(
  { inputs: [sum, bias] }: OnnxOperation,
  producers: Producers,
  uses: ReadonlyMap<string, number>,
) {
  const product = producers.get(sum!.name)
  if (product?.op !== 'MatMul' || uses.get(sum!.name) !== 1 || bias!.shape.length !== 1) return undefined
  const [x, matrix] = product.inputs as [Value, Value]
  const fits = x.shape.length === 3 && matrix.shape.length === 2 && bias!.shape[0] === matrix.shape[1]
  return fits ? product : undefined
}

function linearLayer(
  x: Value,
  matrix: Value,
  isTransposed: boolean,
  bias: Value,
  y: Value,
  integers: (values: readonly number[]) => Value,
): readonly OnnxOperation[] {
  const [inner, columns] = [x.shape.at(-1) as number, bias.shape[0] as number]
  const named = (suffix: string, dtype: Value['dtype'], shape: Value['shape']): Value => {
    return { name: `${y.name}.${suffix}`, dtype, shape }
  }
  const flat = named('flat', 'float32', ['NT', inner])
  const product = named('product', 'float32', ['NT', columns])
  const leading = named('leading', 'int64', [2])
  const shape = named('shape', 'int64', [3])
  const gemm = { alpha: { float: 1 }, transA: { int: 0 }, transB: { int: Number(isTransposed) } }
  return [
    { op: 'Reshape', inputs: [x, integers([-1, inner])], outputs: [flat], attributes: {} },
    { op: 'Gemm', inputs: [flat, matrix, bias], outputs: [product], attributes: gemm },
    { op: 'Shape', inputs: [x], outputs: [leading], attributes: { start: { int: 0 }, end: { int: 2 } } },
    { op: 'Concat', inputs: [leading, integers([columns])], outputs: [shape], attributes: { axis: { int: 0 } } },
    { op: 'Reshape', inputs: [product, shape], outputs: [y], attributes: {} },
  ]
}

function countUses({ operations, outputs }: Graph): ReadonlyMap<string, number> {
  const uses = new Map<string, number>()
  for (const { name } of [...operations.flatMap(({ inputs }) => inputs), ...outputs]) {
    uses.set(name, (uses.get(name) ?? 0) + 1)
  }
  return uses
}

/** The operations that the outputs depend on; products that were fused, and transposes that lost their last use, go. */
function needed(
  operations: readonly OnnxOperation[],
  outputs: readonly Value[],
  fused: ReadonlySet<OnnxOperation>,
): readonly OnnxOperation[] {
  const names = new Set(outputs.map(({ name }) => name))
  const kept: OnnxOperation[] = []
  for (const operation of operations.toReversed()) {
    if (fused.has(operation) || !operation.outputs.some(({ name }) => names.has(name))) continue
    kept.push(operation)
    for (const { name } of operation.inputs) names.add(name)
  }
  return kept.reverse()
}
