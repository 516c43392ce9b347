export { flatNorm, type NamedTensor, sizeOf, zerosLike, type TensorSpec } from './named-tensor.ts'
