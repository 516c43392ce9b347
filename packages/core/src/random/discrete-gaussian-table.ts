import { type AliasTable, aliasTable } from './alias-table.ts'
import { expInterval, type Ratio, ratioOf } from './exact-exp.ts'

const MOST_COLUMN_BITS = 11
const REACH = 12 // the bins cover |x| < REACH * sigma at least; the tail beyond has its own column
const PRECISION = 96

/**
 * The proposal of the sampler, in integers. Write rho(y) = exp(-y^2 / (2 sigma^2)).
 *
 * The magnitudes 0 .. bins * width - 1 are cut into bins of `width` = 2^k; bin b starts at b * width and is proposed
 * with the integer weight `weight[b] >= scale * rho(b * width)` out of 2^32, then a magnitude y uniformly inside it.
 * Accepting y with probability `scale * rho(y) / weight[b]`, which is at most 1 because rho falls, gives every y of
 * every bin the probability `scale * rho(y) / (width * 2^32)`: proportional to rho, exactly. Column `bins` is the tail,
 * column `bins + 1` takes up what is left of 2^32 and is always rejected; columns after that have weight 0.
 */
export interface ProposalTable {
  readonly sigma: Ratio
  readonly bins: number
  readonly width: number
  readonly scale: bigint
  readonly weight: readonly number[]
  readonly columns: AliasTable
  /** scale * rho(b * width) / weight[b], to within 2^-52. */
  readonly head: Float64Array
  /** A uniform 32-bit word below this is accepted whatever the magnitude inside the bin. */
  readonly sure: Uint32Array
}

export const TAIL_WEIGHT = 1

/** The number t with rho(y) = exp(-t), exactly. */
export function exponentOf(y: bigint, { num, den }: Ratio): Ratio {
  return { num: (y * den) ** 2n, den: 2n * num ** 2n }
}

/** Builds the table for one standard deviation; the caller has checked its range. A few tens of milliseconds. */
export function proposalTable(sigmaValue: number): ProposalTable {
  const sigma = ratioOf(sigmaValue)
  let width = 1
  while (Math.ceil((REACH * sigmaValue) / width) > 2 ** MOST_COLUMN_BITS - 2) width *= 2
  const bins = Math.ceil((REACH * sigmaValue) / width)
  const columnBits = Math.ceil(Math.log2(bins + 2))

  const rho = (y: number) => expInterval(exponentOf(BigInt(y), sigma), PRECISION)
  const starts = Array.from({ length: bins }, (_, b) => rho(b * width))
  const total = starts.reduce((sum, { high }) => sum + high, 0n)
  // Rounding a weight up adds less than one, so `bins` of them, the tail and the reject column fit into 2^32.
  const scale = ((2n ** 32n - BigInt(bins + TAIL_WEIGHT + 1)) << BigInt(PRECISION)) / total

  const weight = starts.map(({ high }) => Number(ceilShift(scale * high, PRECISION)))
  const head = new Float64Array(2 ** columnBits)
  const sure = new Uint32Array(2 ** columnBits)
  for (let b = 0; b < bins; b++) {
    const w = BigInt(weight[b]!)
    head[b] = Number((scale * starts[b]!.low) / w) / 2 ** PRECISION
    const least = (scale * rho((b + 1) * width - 1).low) / w
    sure[b] = Math.min(2 ** 32 - 1, Number(least >> BigInt(PRECISION - 32)))
  }
  const spare = 2 ** 32 - TAIL_WEIGHT - weight.reduce((sum, w) => sum + w, 0)
  const rest = Array.from({ length: 2 ** columnBits - bins - 2 }, () => 0)
  const columns = aliasTable([...weight, TAIL_WEIGHT, spare, ...rest], columnBits)
  return { sigma, bins, width, scale, weight, columns, head, sure }
}

function ceilShift(value: bigint, by: number): bigint {
  return -(-value >> BigInt(by))
}
