import type { Constant, Graph, Operation, Value } from '@fedsvd/core/autodiff'

const scalar = (name: string, value: number): Constant => ({
  name: `gelu.${name}`,
  dtype: 'float32',
  shape: [],
  data: Float32Array.of(value),
})
const [HALF, ONE, ROOT] = [scalar('half', 0.5), scalar('one', 1), scalar('root', Math.SQRT1_2)] as const

/**
 * The same graph for any ONNX runtime: Gelu, which opset 18 does not have and onnxruntime has as its own, is written
 * out as `x / 2 * (1 + erf(x / sqrt 2))`.
 */
export function portable(graph: Graph): Graph {
  if (!graph.operations.some(({ op }) => op === 'Gelu')) return graph
  const operations = graph.operations.flatMap((operation) =>
    operation.op === 'Gelu' ? written(operation) : [operation],
  )
  return { ...graph, constants: [...graph.constants, HALF, ONE, ROOT], operations }
}

function written({ inputs: [x], outputs: [y] }: Operation): readonly Operation[] {
  const [scaled, erf, likelihood, half] = ['scaled', 'erf', 'likelihood', 'half'].map(
    (step): Value => ({ ...y!, name: `${y!.name}.${step}` }),
  )
  const apply = (op: Operation['op'], inputs: readonly Value[], output: Value): Operation => {
    return { op, inputs, outputs: [output], attributes: {} }
  }
  return [
    apply('Mul', [x!, ROOT], scaled!),
    apply('Erf', [scaled!], erf!),
    apply('Add', [erf!, ONE], likelihood!),
    apply('Mul', [x!, HALF], half!),
    apply('Mul', [half!, likelihood!], y!),
  ]
}
