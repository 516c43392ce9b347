export type { PerRecordGradient } from './adjoint.ts'
export { GraphBuilder } from './builder.ts'
export type { DenseTensor } from './dense.ts'
export { interpret } from './interpreter.ts'
export { type ExternalData, MICROSOFT, type OnnxGraph, type OnnxOperation, toOnnx } from './onnx.ts'
export * as ops from './operators.ts'
export { perRecordGradients } from './reverse.ts'
export {
  type Attribute,
  BATCH,
  type Constant,
  type ConstantData,
  type Dim,
  type DType,
  formatShape,
  type Graph,
  isPerRecord,
  type Operation,
  type OperatorName,
  SEQUENCE,
  type Shape,
  type TensorType,
  type Value,
} from './value.ts'
