import { FedsvdError } from '../errors.ts'
import { RandomBits, type RandomSource, stuckSource } from './source.ts'

/**
 * A coin that is true with probability `p`, exactly: 0 <= p <= 1.
 *
 * A double is a finite binary fraction. The coin compares a uniform number with it 32 bits at a time and stops at the
 * first word that differs, so nothing is rounded and the bias is zero, not merely at most 2^-53.
 */
function bernoulli(bits: RandomBits, p: number): boolean {
  let rest = p
  for (let words = 0; words < 64; words++) {
    rest *= 2 ** 32
    const digits = Math.floor(rest)
    const word = bits.uint32()
    if (word !== digits) return word < digits
    rest -= digits
    if (rest === 0) return false
  }
  throw stuckSource('a coin')
}

/**
 * Draws one lot by Poisson sampling: every record enters independently with probability exactly `sampleRate`.
 *
 * Returns the indices of the records drawn, ascending. The size of the lot is random and may be 0: an empty lot is
 * noised and counted like any other, and neither the size nor the indices may leave the process. Time and randomness
 * used depend on `records`, not on who was drawn (up to words that tie, of which there is one in 2^32).
 *
 * Refuses with NOISE_INVALID a `records` that is not an integer from 0 to 2^32 - 1, and a `sampleRate` outside (0, 1].
 */
export function drawPoissonLot(source: RandomSource, records: number, sampleRate: number): Uint32Array {
  if (!Number.isInteger(records) || records < 0 || records >= 2 ** 32) {
    throw invalid('a number of records from 0 to 2^32 - 1', records)
  }
  if (!(sampleRate > 0 && sampleRate <= 1)) throw invalid('a sampleRate with 0 < sampleRate <= 1', sampleRate)
  const bits = RandomBits.from(source)
  const drawn: number[] = []
  for (let record = 0; record < records; record++) if (bernoulli(bits, sampleRate)) drawn.push(record)
  return Uint32Array.from(drawn)
}

function invalid(expected: string, got: number): FedsvdError {
  return new FedsvdError('NOISE_INVALID', {
    expected,
    got: String(got),
    remedy: 'Correct the sampling terms of the run; nothing was drawn.',
  })
}
