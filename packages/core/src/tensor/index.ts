export { flatNorm, type NamedTensor, sizeOf, type TensorSpec, zerosLike } from './named-tensor.ts'
