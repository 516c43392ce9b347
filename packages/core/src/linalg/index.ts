export { cholesky, solveLower, solveTransposed } from './cholesky.ts'
export type { DeviceStack, LinearAlgebraDevice, StackShape } from './device.ts'
export { jacobiEigen } from './jacobi-eigen.ts'
export { jacobiSvd } from './jacobi-svd.ts'
export {
  type ColumnMatrix,
  column,
  dot,
  fromRowMajor,
  identity,
  multiply,
  toRowMajor,
  transpose,
  transposeOfRowMajor,
  zeros,
} from './matrix.ts'
export { type Eigen, symmetricEigen } from './symmetric-eigen.ts'
export { thinQr, triangularFactor } from './thin-qr.ts'
