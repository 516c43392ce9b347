/**
 * Element types that the graph uses; every number that is learned or summed is float32, float64 is the coordinator's.
 */
export type DType = 'float32' | 'float64' | 'int32' | 'int64' | 'bool'

/** A size: a number, or the name of a size that is known only when the graph runs. */
export type Dim = number | string

/** The batch: how many records a run holds. Per-record means "this symbol is the leading dimension". */
export const BATCH = 'N'

/** The sequence: the length to which the records of a run are padded. */
export const SEQUENCE = 'T'

export type Shape = readonly Dim[]

/** The type of a tensor in the graph. */
export interface TensorType {
  readonly dtype: DType
  readonly shape: Shape
}

/**
 * One tensor of a graph: an input, a constant, or the result of an operation. Two values are the same if their names
 * are.
 */
export interface Value extends TensorType {
  readonly name: string
}

export type ConstantData = Float32Array | Int32Array | BigInt64Array

/** A value that is part of the graph: a frozen weight, a scalar, a list of axes. */
export interface Constant extends Value {
  readonly shape: readonly number[]
  readonly data: ConstantData
}

export type Attribute = { readonly int: number } | { readonly float: number } | { readonly ints: readonly number[] }

/** The ONNX operators in use: of opset 18, and Gelu of opset 20, which onnxruntime has had as its own for longer. */
export type OperatorName =
  | 'Add'
  | 'ArgMax'
  | 'Cast'
  | 'Concat'
  | 'Div'
  | 'Equal'
  | 'Erf'
  | 'Exp'
  | 'Expand'
  | 'Gather'
  | 'Gelu'
  | 'Gemm'
  | 'Greater'
  | 'GreaterOrEqual'
  | 'Identity'
  | 'LayerNormalization'
  | 'LogSoftmax'
  | 'MatMul'
  | 'Max'
  | 'Min'
  | 'Mul'
  | 'Neg'
  | 'ReduceLogSumExp'
  | 'ReduceMean'
  | 'ReduceSum'
  | 'ReduceSumSquare'
  | 'Relu'
  | 'Reshape'
  | 'Round'
  | 'Shape'
  | 'Sigmoid'
  | 'Slice'
  | 'Softmax'
  | 'Split'
  | 'Sqrt'
  | 'Sub'
  | 'Tanh'
  | 'Transpose'

export interface Operation {
  readonly op: OperatorName
  readonly inputs: readonly Value[]
  readonly outputs: readonly Value[]
  readonly attributes: Readonly<Record<string, Attribute>>
}

/** A finished graph: operations in an order in which each only uses what came before. */
export interface Graph {
  readonly inputs: readonly Value[]
  readonly constants: readonly Constant[]
  readonly operations: readonly Operation[]
  readonly outputs: readonly Value[]
}

/** True when the values of different records lie apart along the leading dimension. */
export function isPerRecord({ shape }: TensorType): boolean {
  return shape[0] === BATCH
}

/** A shape as people write it: `[N, T, 512]`. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`
}

/** An axis counted from the front; negative axes count from the back, as in ONNX. */
export function axisFromFront(shape: Shape, axis: number): number {
  return axis < 0 ? shape.length + axis : axis
}
