import { thinQr } from '../../linalg/index.ts'
import type { Initialiser } from './initialiser.ts'

/**
 * A uniformly random orthonormal set of rows, as every A after a re-factorisation: the transposed Q of normals' thin
 * QR.
 */
export const orthonormal: Initialiser = {
  name: 'orthonormal',
  draw({ layer: { dIn }, rank, normals }) {
    const { q } = thinQr({ rows: dIn, columns: rank, data: new Float64Array(normals()) })
    return new Float32Array(q.data)
  },
}
