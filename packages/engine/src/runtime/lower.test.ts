import { BATCH, GraphBuilder, ops, SEQUENCE, type Value } from '@fedsvd/core/autodiff'
import { describe, expect, it } from 'vitest'
import { forOnnxruntime } from './lower.ts'

/** The operators of a graph over places x [N, T, 4], a weight [6, 4] and a bias [6], as onnxruntime gets them. */
function lowered(build: (g: GraphBuilder, parts: { x: Value; weight: Value; bias: Value }) => Record<string, Value>) {
  const g = new GraphBuilder()
  const weight = g.weight({ name: 'weight', shape: [6, 4], data: new Float32Array(24) })
  const bias = g.weight({ name: 'bias', shape: [6], data: new Float32Array(6) })
  return forOnnxruntime(g.build(build(g, { x: g.input('x', 'float32', [BATCH, SEQUENCE, 4]), weight, bias })))
}

const names = (graph: ReturnType<typeof lowered>) => graph.operations.map(({ op }) => op)

describe('a graph for onnxruntime', () => {
  it('has one Gemm for a linear layer, and takes its weight as it is stored', () => {
    const graph = lowered((g, { x, weight, bias }) => ({
      y: ops.add(g, ops.matmul(g, x, ops.transposeMatrix(g, weight)), bias),
    }))
    expect(names(graph)).toEqual(['Reshape', 'Gemm', 'Shape', 'Concat', 'Reshape'])
    const gemm = graph.operations.find(({ op }) => op === 'Gemm')!
    expect(gemm.inputs.map(({ name }) => name)).toEqual(['y.flat', 'weight', 'bias'])
    expect(gemm.attributes.transB).toEqual({ int: 1 })
  })

  it('transposes no weight for the way back either: both directions share one copy', () => {
    const graph = lowered((g, { x, weight, bias }) => {
      const forwards = ops.add(g, ops.matmul(g, x, ops.transposeMatrix(g, weight)), bias)
      return { back: ops.matmul(g, forwards, weight) }
    })
    expect(names(graph)).not.toContain('Transpose')
    expect(graph.operations.filter(({ inputs }) => inputs.some(({ name }) => name === 'weight'))).toHaveLength(2)
  })

  it('keeps a product that something else uses too, with a flag in place of the transpose', () => {
    const graph = lowered((g, { x, weight, bias }) => {
      const product = ops.matmul(g, x, ops.transposeMatrix(g, weight))
      return { product, y: ops.add(g, product, bias) }
    })
    expect(names(graph)).toEqual(['FusedMatMul', 'Add'])
  })

  it('leaves alone what is no linear layer: a bias of another rank, a product of two batches', () => {
    const graph = lowered((g, { x, weight, bias }) => {
      const square = ops.matmul(g, x, ops.transposeMatrix(g, x))
      const wide = ops.matmul(g, x, ops.transposeMatrix(g, weight))
      return { sums: ops.add(g, wide, ops.reshape(g, bias, [1, 6])), squares: square }
    })
    expect(names(graph).sort()).toEqual(['Add', 'FusedMatMul', 'MatMul', 'Reshape', 'Transpose'])
  })
})
