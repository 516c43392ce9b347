import { FedsvdError } from '../errors.ts'
import { exponentOf, type ProposalTable, proposalTable, TAIL_WEIGHT } from './discrete-gaussian-table.ts'
import { uniformIsBelow } from './exact-exp.ts'
import { RandomBits, type RandomSource, stuckSource } from './source.ts'

/** Standard deviations that the sampler takes. */
export const SIGMA_RANGE = { least: 0.1, most: 2 ** 36 } as const

const MOST_TRIES = 4096
const SLACK = 2 ** -14
const TAYLOR_TERMS = 12

/** A sampler of the discrete Gaussian of one parameter sigma. Its only state is a table; it holds no randomness. */
export interface DiscreteGaussian {
  readonly sigma: number
  /** Overwrites every element with an independent sample: an integer, exactly represented. */
  fill(source: RandomSource, out: Float64Array): void
}

/**
 * The discrete Gaussian on the integers: P(x) proportional to exp(-x^2 / (2 sigma^2)) (Canonne, Kamath and Steinke
 * 2020, definition 1). sigma is the double that was given, exactly; from 1 upwards it is the standard deviation to a
 * relative 2e-7.
 *
 * Guarantee: given uniform random bits the output has this distribution EXACTLY, so nothing is added to delta for the
 * sampler. (One reservation, for the letter of it: magnitudes of 2^53 and more, whose total probability is below
 * exp(-2^33), are never returned.)
 *
 * How: rejection from the integer-weighted bins of {@link ProposalTable}.
 * 1. One 32-bit word picks a bin with exactly its integer weight; a second gives the sign and the place in the bin.
 *    Minus zero is rejected, or zero would count twice.
 * 2. A third word u holds the first 32 bits of a real uniform U, and the proposal is accepted when U < a, where a =
 *    scale * rho(y) / weight. Below `sure[bin]` this is certain for the whole bin (about 99 in 100 proposals).
 * 3. Otherwise a is computed in double precision as head * exp(-z), z = r (2 b width + r) / (2 sigma^2) < 0.16, by a
 *    12-term Taylor series. Every operation is an IEEE one: the argument is off by less than 2^-53, Horner's scheme by
 *    less than 2^-51, the remainder is below 2^-65, head is off by 2^-52; in all a is off by less than 2^-49 and 2^32 a
 *    by less than 2^-17. When u and u + 1 are both further than SLACK = 2^-14 from 2^32 a the decision is proved.
 * 4. In the remaining case, about once in 2^32 proposals, the comparison is settled with rational arithmetic and as
 *    many further bits of U as it takes.
 *
 * The tail beyond 12 sigma, proposed once in 2^32 draws, is cut into shells that double in size, so it has no end
 * either.
 *
 * The time taken depends on how many proposals are rejected, hence a little on the noise. It does not depend on the
 * data.
 *
 * Refuses with NOISE_INVALID a sigma outside {@link SIGMA_RANGE}, NaN included, and random bits that never let it
 * finish.
 */
export function discreteGaussian(sigma: number): DiscreteGaussian {
  if (!(sigma >= SIGMA_RANGE.least && sigma <= SIGMA_RANGE.most)) {
    throw new FedsvdError('NOISE_INVALID', {
      expected: `a discrete Gaussian with ${SIGMA_RANGE.least} <= sigma <= 2^36 grid units`,
      got: `sigma = ${sigma}`,
      remedy: 'Check noiseMultiplier and the grid; without usable noise nothing is released.',
    })
  }
  const table = proposalTable(sigma)
  return { sigma, fill: (source, out) => fill(table, sigma, RandomBits.from(source), out) }
}

function fill(table: ProposalTable, sigma: number, bits: RandomBits, out: Float64Array): void {
  const { bins, width, head, sure } = table
  const { columnBits, threshold, alias } = table.columns
  const columnShift = 32 - columnBits
  const withinColumn = 2 ** columnShift - 1
  const withinBin = width - 1
  const halfPrecision = 1 / (2 * sigma * sigma)

  for (let i = 0; i < out.length; i++) {
    let tries = 0
    for (; tries < MOST_TRIES; tries++) {
      const pick = bits.uint32()
      const place = bits.uint32()
      const u = bits.uint32()
      const column = pick >>> columnShift
      const bin = (pick & withinColumn) < threshold[column]! ? column : alias[column]!
      const negative = place >= 2 ** 31
      const r = place & withinBin
      let y = bin * width + r
      if (y === 0 && negative) continue
      if (u >= sure[bin]!) {
        if (bin === bins) y = tailMagnitude(table, bits)
        else if (bin > bins || !accepts(table, bits, halfPrecision, bin, r, u, head[bin]!)) continue
        if (y < 0) continue
      }
      out[i] = negative ? -y : y
      break
    }
    if (tries === MOST_TRIES) throw stuckSource('the draw of a discrete Gaussian')
  }
}

/**
 * Steps 3 and 4 of {@link discreteGaussian}: whether U, which starts with the word u, is below the bin's acceptance at
 * r.
 */
function accepts(
  { width, weight, scale, sigma }: ProposalTable,
  bits: RandomBits,
  halfPrecision: number,
  bin: number,
  r: number,
  u: number,
  head: number,
): boolean {
  const z = r * (2 * bin * width + r) * halfPrecision
  let series = 1
  for (let j = TAYLOR_TERMS; j > 0; j--) series = 1 - (z * series) / j
  const threshold = head * series * 2 ** 32
  if (u + 1 <= threshold - SLACK) return true
  if (u >= threshold + SLACK) return false
  const y = BigInt(bin) * BigInt(width) + BigInt(r)
  return uniformIsBelow(bits, u, { num: scale, den: BigInt(weight[bin]!) }, exponentOf(y, sigma))
}

/**
 * A magnitude beyond the bins, or -1 for "rejected". Shell k holds the magnitudes from L 2^k to L 2^(k+1), L = bins *
 * width, and is proposed with probability 2^-(k+1); the acceptance makes up for the size of the shell, so that each y
 * ends with the same factor scale / (width 2^32) on rho(y) as inside the bins. It is far below 1 from 12 sigma on.
 */
function tailMagnitude({ bins, width, scale, sigma }: ProposalTable, bits: RandomBits): number {
  let shell = 0n
  while (bits.uint32() % 2 === 1) if (++shell > 1000n) throw stuckSource('the choice of a tail shell')
  const size = BigInt(bins) * BigInt(width) * 2n ** shell
  const y = size + bigUniformBelow(bits, size)
  const factor = { num: scale * size * 2n ** (shell + 1n), den: BigInt(width) * BigInt(TAIL_WEIGHT) }
  const accepted = uniformIsBelow(bits, bits.uint32(), factor, exponentOf(y, sigma))
  return accepted && y < 2n ** 53n ? Number(y) : -1
}

/** A uniform integer in [0, bound), exactly. */
function bigUniformBelow(bits: RandomBits, bound: bigint): bigint {
  const words = Math.ceil(bound.toString(2).length / 32)
  const range = 1n << BigInt(32 * words)
  for (let tries = 0; tries < 2000; tries++) {
    let value = 0n
    for (let i = 0; i < words; i++) value = (value << 32n) | BigInt(bits.uint32())
    if (value < range - (range % bound)) return value % bound
  }
  throw stuckSource('a uniform draw')
}
