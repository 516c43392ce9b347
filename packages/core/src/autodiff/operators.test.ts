import { waveTensor } from '@fedsvd/testing/core/autodiff'
import { describe, expect, it } from 'vitest'
import { GraphBuilder } from './builder.ts'
import { ops } from './index.ts'
import { interpret } from './interpreter.ts'
import { BATCH, SEQUENCE } from './value.ts'

const g = () => new GraphBuilder()
const input = (builder: GraphBuilder, name: string, shape: readonly (number | string)[]) =>
  builder.input(name, 'float32', shape)

describe('shapes', () => {
  it('follow the records and the sequence symbolically', () => {
    const b = g()
    const x = input(b, 'x', [BATCH, SEQUENCE, 6])
    expect(ops.matmul(b, x, input(b, 'w', [6, 4])).shape).toEqual([BATCH, SEQUENCE, 4])
    expect(ops.matmul(b, x, ops.transposeMatrix(b, x)).shape).toEqual([BATCH, SEQUENCE, SEQUENCE])
    expect(ops.reshape(b, x, [BATCH, SEQUENCE, 2, 3]).shape).toEqual([BATCH, SEQUENCE, 2, 3])
    expect(ops.reduceSum(b, x, [1, -1], true).shape).toEqual([BATCH, 1, 1])
    expect(ops.add(b, x, input(b, 'y', [BATCH, 1, 1])).shape).toEqual([BATCH, SEQUENCE, 6])
    expect(ops.firstRows(b, input(b, 'table', [128, 6]), x, 1).shape).toEqual([SEQUENCE, 6])
  })

  it.each<[string, (b: GraphBuilder) => unknown, RegExp]>([
    ['inner sizes', (b) => ops.matmul(b, input(b, 'x', [2, 3]), input(b, 'y', [4, 5])), /\[2, 3\] and \[4, 5\]/],
    ['broadcasting', (b) => ops.add(b, input(b, 'x', [2, 3]), input(b, 'y', [2, 4])), /shapes that broadcast/],
    ['two symbols', (b) => ops.add(b, input(b, 'x', [BATCH]), input(b, 'y', [SEQUENCE])), /shapes that broadcast/],
    ['number of elements', (b) => ops.reshape(b, input(b, 'x', [BATCH, 6]), [BATCH, 5]), /elements of \[N, 6\]/],
    ['symbols of a reshape', (b) => ops.reshape(b, input(b, 'x', [BATCH, 6]), [SEQUENCE, 6]), /elements of \[N, 6\]/],
    ['a permutation', (b) => ops.transpose(b, input(b, 'x', [2, 3]), [0, 0]), /permutation of 2 axes/],
    ['sizes of a split', (b) => ops.split(b, input(b, 'x', [2, 6]), 1, [2, 3]), /add up to 6/],
    ['parts of a concat', (b) => ops.concat(b, [input(b, 'x', [2, 6]), input(b, 'y', [3, 6])], 1), /one numeric axis/],
    [
      'gain of a norm',
      (b) => ops.layerNorm(b, input(b, 'x', [2, 6]), input(b, 'y', [5]), input(b, 'z', [6]), 1),
      /size 6/,
    ],
    [
      'addend of a gemm',
      (b) => ops.gemm(b, input(b, 'x', [2, 3]), input(b, 'y', [3, 4]), input(b, 'z', [2, 3])),
      /matrices that fit/,
    ],
    ['element types', (b) => ops.add(b, input(b, 'x', [2]), b.input('y', 'int32', [2])), /float32 and int32/],
  ])('are refused when they do not fit: %s', (_, build, message) => {
    expect(() => build(g())).toThrow(message)
  })
})

describe('the builder', () => {
  it('emits the same operation on the same values once', () => {
    const b = g()
    const x = input(b, 'x', [2, 3])
    expect(ops.transposeMatrix(b, x)).toBe(ops.transposeMatrix(b, x))
    expect(b.scalar(0.5)).toBe(b.scalar(0.5))
    expect(b.operations).toHaveLength(1)
  })

  it('turns a shared matrix back by taking the matrix itself', () => {
    const b = g()
    const w = input(b, 'w', [2, 3])
    expect(ops.transposeMatrix(b, ops.transposeMatrix(b, w))).toBe(w)
  })

  it('keeps only what the outputs need', () => {
    const b = g()
    const x = input(b, 'x', [2, 3])
    input(b, 'unused', [2])
    ops.exp(b, x)
    const graph = b.build({ y: ops.neg(b, x) })
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x'])
    expect(graph.operations.map(({ op }) => op)).toEqual(['Neg'])
  })

  it('gives outputs their names without copies, and copies only what has a name already', () => {
    const b = g()
    const x = input(b, 'x', [2])
    const y = ops.neg(b, x)
    const graph = b.build({ first: y, second: y, third: ops.exp(b, y), input: x })
    expect(graph.operations.map(({ op, inputs }) => [op, ...inputs.map(({ name }) => name)])).toEqual([
      ['Neg', 'x'],
      ['Exp', 'first'],
      ['Identity', 'first'],
      ['Identity', 'x'],
    ])
    const results = interpret(graph, { x: { shape: [2], data: Float64Array.of(1, 2) } })
    expect([...results.second!.data]).toEqual([-1, -2])
    expect([...results.input!.data]).toEqual([1, 2])
  })

  it('refuses a name that is taken, and a value of another builder', () => {
    const b = g()
    input(b, 'x', [2])
    expect(() => input(b, 'x', [3])).toThrow(/a second "x"/)
    expect(() => b.build({ y: ops.neg(b, input(g(), 'foreign', [2])) })).toThrow(/belongs to another/)
  })
})

describe('the interpreter', () => {
  it('checks inputs and symbols: N is one number per run', () => {
    const b = g()
    const graph = b.build({ y: ops.add(b, input(b, 'x', [BATCH, 1]), input(b, 'z', [BATCH, 2])) })
    const x = waveTensor(1, [3, 1])
    expect(() => interpret(graph, { x })).toThrow(/"z" of shape \[N, 2\], got no tensor/)
    expect(() => interpret(graph, { x, z: waveTensor(2, [4, 2]) })).toThrow(/got \[4, 2\]/)
    expect(interpret(graph, { x, z: waveTensor(2, [3, 2]) }).y!.shape).toEqual([3, 2])
  })

  it('finds the first of the largest, and takes logarithms of sums of what exp cannot hold', () => {
    const b = g()
    const x = input(b, 'x', [2, 3])
    const graph = b.build({ largest: ops.argMax(b, x), sum: ops.reduceLogSumExp(b, x, [-1], false) })
    const results = interpret(graph, { x: { shape: [2, 3], data: Float64Array.of(1, 3, 3, 1000, 999, -1000) } })
    expect([...results.largest!.data]).toEqual([1, 0])
    expect(results.sum!.data[0]).toBeCloseTo(Math.log(Math.E + 2 * Math.E ** 3), 12)
    expect(results.sum!.data[1]).toBeCloseTo(1000 + Math.log(1 + 1 / Math.E), 12)
  })

  // Abramowitz and Stegun table 7.1, and 16 digits of erf(1/2), erf(1), erf(2), erf(3) from their definition
  it.each([
    [0, 0],
    [0.5, 0.5204998778130465],
    [-0.5, -0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [3, 0.9999779095030014],
    [7, 1],
    [Number.NEGATIVE_INFINITY, -1],
    [Number.NaN, Number.NaN],
  ])('knows the error function at %d', (x, expected) => {
    const b = g()
    const graph = b.build({ y: ops.erf(b, input(b, 'x', [1])) })
    const value = interpret(graph, { x: { shape: [1], data: Float64Array.of(x) } }).y!.data[0]!
    if (Number.isNaN(expected)) expect(value).toBeNaN()
    else expect(Math.abs(value - expected)).toBeLessThan(4e-16)
  })

  it('rounds halves to even, as ONNX does', () => {
    const b = g()
    const graph = b.build({ y: ops.round(b, input(b, 'x', [6])) })
    const x = { shape: [6], data: Float64Array.of(0.5, 1.5, 2.5, -0.5, -1.5, 0.49) }
    expect([...interpret(graph, { x }).y!.data].map((value) => value + 0)).toEqual([0, 2, 2, 0, -2, 0])
  })
})
