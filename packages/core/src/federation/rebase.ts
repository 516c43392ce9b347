import { FedsvdError } from '../errors.ts'
import type { AdapterSchema, AdapterState } from '../lora/index.ts'
import type { NamedTensor } from '../tensor/index.ts'

/**
 * How far, relative to A, the row space of a basis may be from another's before the two are not of one run; float32
 * rounding is below.
 */
const OUTSIDE = 1e-3

/**
 * Moves a delta of B that was made in one published state into the basis of a later one: delta B' = delta B A_v A_w^T,
 * so that delta B' A_w = delta B A_v. What the update does to the weights B A stays what it was.
 *
 * It is exact (up to float32 rounding of the published states) because the row space of A never moves under fedsvd: A_w
 * is W^T A_v with W orthogonal, A_v A_w^T is that W, and over several rounds the product of them, so nothing needs to
 * be kept but the states themselves. The first A need not have orthonormal rows, all later ones have. Where A was
 * rank-deficient at first, the row space was filled up and contains the old one, which is all that is needed. The head
 * has no basis and moves unchanged.
 *
 * @param delta in the order of `trainedSpecs`
 * @param weight multiplies the result
 * @throws FedsvdError ADAPTER_INVALID when the row space of `from` is not inside that of `to`: not two states of one
 *   run
 */
export function rebase(input: {
  readonly schema: AdapterSchema
  readonly from: AdapterState
  readonly to: AdapterState
  readonly delta: readonly NamedTensor[]
  readonly weight?: number
}): NamedTensor[] {
  const { schema, from, to, delta, weight = 1 } = input
  return delta.map((tensor, index) => {
    const layer = schema.layers[index]
    if (layer === undefined || from.basis === to.basis) return scaled(tensor, weight)
    const rotation = rotationBetween(from.a[index]!, to.a[index]!)
    return { ...tensor, data: rotated(tensor.data, rotation, schema.rank, weight) }
  })
}

/**
 * The public weight of an update that is `staleness` published states old (FedBuff, Nguyen et al. 2022, section 5).
 *
 * @example stalenessWeight(3, 0.5) // 0.5
 */
export function stalenessWeight(staleness: number, exponent: number): number {
  return (1 + staleness) ** -exponent
}

function scaled(tensor: NamedTensor, weight: number): NamedTensor {
  return weight === 1 ? tensor : { ...tensor, data: tensor.data.map((value) => weight * value) }
}

/** A_v A_w^T, row-major rank x rank, in float64. */
function rotationBetween(from: NamedTensor, to: NamedTensor): Float64Array {
  const [rank, dIn] = from.shape as [number, number]
  const rotation = new Float64Array(rank * rank)
  for (let row = 0; row < rank; row += 1) {
    for (let column = 0; column < rank; column += 1) {
      let sum = 0
      for (let k = 0; k < dIn; k += 1) sum += from.data[row * dIn + k]! * to.data[column * dIn + k]!
      rotation[row * rank + column] = sum
    }
  }
  requireSameSpace(from, to, rotation)
  return rotation
}

/** A_v = (A_v A_w^T) A_w exactly when each row of A_v is a combination of the orthonormal rows of A_w. */
function requireSameSpace(from: NamedTensor, to: NamedTensor, rotation: Float64Array): void {
  const [rank, dIn] = from.shape as [number, number]
  let [outside, all] = [0, 0]
  for (let row = 0; row < rank; row += 1) {
    for (let k = 0; k < dIn; k += 1) {
      let inside = 0
      for (let column = 0; column < rank; column += 1) {
        inside += rotation[row * rank + column]! * to.data[column * dIn + k]!
      }
      const value = from.data[row * dIn + k]!
      outside += (value - inside) ** 2
      all += value ** 2
    }
  }
  if (outside <= OUTSIDE ** 2 * all) return
  throw new FedsvdError('ADAPTER_INVALID', {
    expected: `two states of one run, whose factors ${from.name} span the same rows`,
    got: `${((100 * Math.sqrt(outside)) / Math.sqrt(all)).toPrecision(3)} % of the older one outside the newer one`,
    remedy: 'Check that the stored states are those of the run; nothing was aggregated.',
  })
}

function rotated(delta: Float32Array, rotation: Float64Array, rank: number, weight: number): Float32Array {
  const moved = new Float32Array(delta.length)
  for (let row = 0; row < delta.length; row += rank) {
    for (let column = 0; column < rank; column += 1) {
      let sum = 0
      for (let k = 0; k < rank; k += 1) sum += delta[row + k]! * rotation[k * rank + column]!
      moved[row + column] = weight * sum
    }
  }
  return moved
}
