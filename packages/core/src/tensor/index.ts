export {
  areFinite,
  flatNorm,
  type NamedTensor,
  sizeOf,
  squaredNorm,
  type TensorSpec,
  zerosLike,
} from './named-tensor.ts'
