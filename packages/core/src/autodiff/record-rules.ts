import type { Adjoint } from './adjoint.ts'
import { dense, unbroadcast } from './adjoint.ts'
import type { GraphBuilder } from './builder.ts'
import * as ops from './operators.ts'
import { axisFromFront, isPerRecord, type Operation, type OperatorName, type Shape, type Value } from './value.ts'

/** What a rule sees: the operation, the derivative of each output (undefined where nothing depends on it). */
export interface RuleInput {
  readonly g: GraphBuilder
  readonly operation: Operation
  readonly adjoints: readonly (Value | undefined)[]
  /** Whether the derivative with respect to input `index` is needed. */
  wants(index: number): boolean
}

/** One entry per input of the operation; an entry that is not wanted may be undefined. */
export type Rule = (input: RuleInput) => readonly (Adjoint | undefined)[]

/** A rule for operators with one differentiable input and one output. */
const elementwise =
  (derivative: (g: GraphBuilder, dy: Value, x: Value, y: Value) => Value): Rule =>
  ({ g, operation, adjoints }) => [dense(derivative(g, adjoints[0]!, operation.inputs[0]!, operation.outputs[0]!))]

/** A rule for elementwise operators of two inputs, given the derivative before broadcasting is undone. */
const pairwise =
  (derivative: (g: GraphBuilder, dy: Value, operation: Operation, index: 0 | 1) => Value): Rule =>
  ({ g, operation, adjoints, wants }) =>
    ([0, 1] as const).map((index) =>
      wants(index)
        ? dense(unbroadcast(g, derivative(g, adjoints[0]!, operation, index), operation.inputs[index]!))
        : undefined,
    )

const matmulRule: Rule = ({ g, operation, adjoints, wants }) => {
  const [a, b] = operation.inputs as [Value, Value]
  const dy = adjoints[0]!
  const ofA = () => dense(unbroadcast(g, ops.matmul(g, dy, ops.transposeMatrix(g, b)), a))
  const ofB = (): Adjoint =>
    isPerRecord(b)
      ? dense(unbroadcast(g, ops.matmul(g, ops.transposeMatrix(g, a), dy), b))
      : { kind: 'outer', left: a, right: dy }
  return [wants(0) ? ofA() : undefined, wants(1) ? ofB() : undefined]
}

/*
 * With y = gain * z + bias and z = (x - mean) * invStdDev:
 *   dx = invStdDev * (gain * dy - mean(gain * dy) - z * mean(gain * dy * z)).
 * Both means are row sums of dy against constants and of dy * y, so that z is needed once and no wide temporary is made
 * for them: mean(gain * dy * z) = (sum(dy * y) - sum(dy * bias)) / width.
 */
const layerNormRule: Rule = ({ g, operation, adjoints }) => {
  const [x, gain, bias] = operation.inputs as [Value, Value, Value]
  const [y, mean, invStdDev] = operation.outputs as [Value, Value, Value]
  const dy = adjoints[0]!
  const width = x.shape.at(-1) as number
  const rowMean = (vector: Value) => ops.matmul(g, dy, ops.scale(g, ops.reshape(g, vector, [width, 1]), 1 / width))
  const alongOnes = rowMean(gain)
  const alongZ = ops.sub(g, ops.reduceMean(g, ops.mul(g, dy, y), [-1], true), rowMean(bias))
  const slope = ops.mul(g, ops.mul(g, invStdDev, invStdDev), alongZ)
  const offset = ops.sub(g, ops.mul(g, slope, mean), ops.mul(g, invStdDev, alongOnes))
  const direct = ops.mul(g, ops.mul(g, dy, gain), invStdDev)
  return [dense(ops.add(g, ops.sub(g, direct, ops.mul(g, x, slope)), offset)), undefined, undefined]
}

/**
 * The sum of dy * y over the last axis, which is left in with size 1.
 *
 * Of attention y are weights, [.., T, T], and dy is dO V^T with O = y V; then it is the sum of dO * O, over rows as
 * narrow as a head (Dao et al. 2022, arXiv 2205.14135, appendix B.2).
 */
function rowDots(g: GraphBuilder, dy: Value, y: Value): Value {
  const [mixedBy, turned] = g.producerOf(dy)?.op === 'MatMul' ? g.producerOf(dy)!.inputs : []
  const values = turned && g.producerOf(turned)?.op === 'Transpose' ? g.producerOf(turned)!.inputs[0] : undefined
  const mixed = g.operations.find(({ op, inputs }) => op === 'MatMul' && inputs[0] === y && inputs[1] === values)
  const factors = mixed && mixedBy ? ops.mul(g, mixedBy, mixed.outputs[0]!) : ops.mul(g, dy, y)
  return ops.reduceSum(g, factors, [-1], true)
}

const reducedAxes = (g: GraphBuilder, axes: Value) => [...g.constantData(axes)!].map(Number)

/** The shape of a reduction's result with the reduced axes left in, of size 1. */
function keptShape(g: GraphBuilder, x: Value, axes: Value): Shape {
  const reduced = reducedAxes(g, axes)
  return x.shape.map((dim, axis) => (reduced.includes(axis) ? 1 : dim))
}

/**
 * exp(x - y) is the softmax; written so, a runtime can compute it in the place of x, which may be as wide as a
 * vocabulary.
 */
const logSumExpRule: Rule = ({ g, operation, adjoints }) => {
  const [x, axes] = operation.inputs as [Value, Value]
  const kept = keptShape(g, x, axes)
  const share = ops.exp(g, ops.sub(g, x, ops.reshape(g, operation.outputs[0]!, kept)))
  return [dense(ops.mul(g, share, ops.reshape(g, adjoints[0]!, kept))), undefined]
}

const reductionRule =
  (isMean: boolean): Rule =>
  ({ g, operation, adjoints }) => {
    const [x, axes] = operation.inputs as [Value, Value]
    const spread = ops.expandLike(g, ops.reshape(g, adjoints[0]!, keptShape(g, x, axes)), x)
    const count = reducedAxes(g, axes).reduce((product, axis) => product * (x.shape[axis] as number), 1)
    return [dense(isMean ? ops.scale(g, spread, 1 / count) : spread), undefined]
  }

/** The derivative rules for values that differ from record to record. */
export const RECORD_RULES: Readonly<Partial<Record<OperatorName, Rule>>> = {
  MatMul: matmulRule,
  LayerNormalization: layerNormRule,
  Add: pairwise((_, dy) => dy),
  Sub: pairwise((g, dy, _, index) => (index === 0 ? dy : ops.neg(g, dy))),
  Mul: pairwise((g, dy, { inputs }, index) => ops.mul(g, dy, inputs[1 - index]!)),
  Div: pairwise((g, dy, { inputs: [, b], outputs: [y] }, index) =>
    index === 0 ? ops.div(g, dy, b!) : ops.neg(g, ops.mul(g, dy, ops.div(g, y!, b!))),
  ),
  Max: pairwise((g, dy, { inputs }, index) =>
    ops.mul(g, dy, ops.toFloat(g, ops.greater(g, inputs[index]!, inputs[1 - index]!))),
  ),
  Neg: elementwise((g, dy) => ops.neg(g, dy)),
  Exp: elementwise((g, dy, _, y) => ops.mul(g, dy, y)),
  Sqrt: elementwise((g, dy, _, y) => ops.div(g, ops.scale(g, dy, 0.5), y)),
  Tanh: elementwise((g, dy, _, y) => ops.mul(g, dy, ops.sub(g, g.scalar(1), ops.mul(g, y, y)))),
  Erf: elementwise((g, dy, x) => {
    const density = ops.exp(g, ops.neg(g, ops.mul(g, x, x)))
    return ops.mul(g, dy, ops.scale(g, density, 2 / Math.sqrt(Math.PI)))
  }),
  Relu: elementwise((g, dy, _, y) => ops.mul(g, dy, ops.toFloat(g, ops.greater(g, y, g.scalar(0))))),
  /*
   * With z = x / sqrt 2 the derivative is (1 + erf z + 2 / sqrt(pi) * z * exp(-z^2)) / 2. It is taken from x alone, so
   * that nothing else of the forward pass is kept, which is as wide as a feed-forward layer; the constant goes into the
   * exponent and the half to the end, where a runtime can put it into the next product.
   */
  Gelu: elementwise((g, dy, x) => {
    const z = ops.scale(g, x, Math.SQRT1_2)
    const density = ops.exp(g, ops.sub(g, g.scalar(Math.log(2 / Math.sqrt(Math.PI))), ops.mul(g, z, z)))
    const slope = ops.add(g, ops.add(g, ops.erf(g, z), ops.mul(g, z, density)), g.scalar(1))
    return ops.scale(g, ops.mul(g, dy, slope), 0.5)
  }),
  Sigmoid: elementwise((g, dy, _, y) => ops.mul(g, dy, ops.mul(g, y, ops.sub(g, g.scalar(1), y)))),
  Softmax: elementwise((g, dy, _, y) => ops.mul(g, y, ops.sub(g, dy, rowDots(g, dy, y)))),
  LogSoftmax: elementwise((g, dy, x) =>
    ops.sub(g, dy, ops.mul(g, ops.softmax(g, x), ops.reduceSum(g, dy, [-1], true))),
  ),
  ReduceLogSumExp: logSumExpRule,
  ReduceSum: reductionRule(false),
  ReduceMean: reductionRule(true),
  Reshape: ({ g, operation, adjoints }) => [dense(ops.reshape(g, adjoints[0]!, operation.inputs[0]!.shape)), undefined],
  Transpose: ({ g, operation, adjoints }) => {
    const permutation = (operation.attributes.perm as { ints: readonly number[] }).ints
    return [
      dense(
        ops.transpose(
          g,
          adjoints[0]!,
          permutation.map((_, axis) => permutation.indexOf(axis)),
        ),
      ),
    ]
  },
  Split: ({ g, operation, adjoints }) => {
    const axis = (operation.attributes.axis as { int: number }).int
    const zeros = (value: Value) => ops.expandLike(g, g.scalar(0), value)
    const parts = operation.outputs.map((output, index) => adjoints[index] ?? zeros(output))
    return [dense(ops.concat(g, parts, axis)), undefined]
  },
  Concat: ({ g, operation, adjoints }) => {
    const axis = axisFromFront(operation.outputs[0]!.shape, (operation.attributes.axis as { int: number }).int)
    const sizes = operation.inputs.map(({ shape }) => shape[axis] as number)
    return ops.split(g, adjoints[0]!, axis, sizes).map(dense)
  },
}
