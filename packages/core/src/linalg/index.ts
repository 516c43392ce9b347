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
export { thinQr, triangularFactor } from './thin-qr.ts'
