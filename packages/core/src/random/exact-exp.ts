import { type RandomBits, stuckSource } from './source.ts'

/** A non-negative rational number, exactly. */
export interface Ratio {
  readonly num: bigint
  readonly den: bigint
}

/** The rational number that a positive finite double is. */
export function ratioOf(value: number): Ratio {
  let scaled = value
  let den = 1n
  while (!Number.isInteger(scaled)) {
    scaled *= 2
    den *= 2n
  }
  return { num: BigInt(scaled), den }
}

/**
 * Integers with `low <= 2^bits * exp(-t) <= high` and `high - low <= 3`, for any rational t >= 0.
 *
 * The argument is halved until it is below 2^-8, its Taylor series is summed in fixed point, and the result is squared
 * back. `error` is a running bound, in units of the last place, on the distance from the true value; it is carried
 * through every operation below, so the interval is a proof and does not rest on any floating-point function.
 */
export function expInterval({ num, den }: Ratio, bits: number): { low: bigint; high: bigint } {
  if (num === 0n) return { low: 1n << BigInt(bits), high: 1n << BigInt(bits) }
  if (num >= den * BigInt(bits)) return { low: 0n, high: 1n } // exp(-bits) < 2^-bits
  const halvings = (num / den).toString(2).length + 8
  const guard = halvings + 16
  const one = 1n << BigInt(bits + guard)
  const shift = BigInt(bits + guard)
  const x = (num << shift) / (den << BigInt(halvings))

  let sum = one
  let term = one
  let error = 1n // x was rounded down by less than one unit, and the slope of exp(-x) is at most 1
  for (let j = 1n; term > 0n; j++) {
    term = (term * x) / (one * j)
    sum += j % 2n === 1n ? -term : term
    error += 2n // a term inherits less than one unit from the one before it and loses less than one more
  }
  error += 1n // the alternating remainder is smaller than the first term left out
  for (let i = 0; i < halvings; i++) {
    sum = (sum * sum) >> shift
    // (v + e)^2 = v^2 + 2ve + e^2 with v <= 1 and e^2 below one unit, then one more for the shift
    error = 2n * error + 2n
  }
  const unit = BigInt(guard)
  const low = (sum - error) >> unit
  return { low: low < 0n ? 0n : low, high: ((sum + error) >> unit) + 1n }
}

/**
 * Decides `U < scale * exp(-t)` for a uniform real U in [0, 1) of which the first 32 bits are already known, exactly.
 *
 * Further bits of U are drawn only while the decision is open; each round of 32 leaves it open with a chance near
 * 2^-31.
 */
export function uniformIsBelow(bits: RandomBits, first32: number, scale: Ratio, t: Ratio): boolean {
  let prefix = BigInt(first32)
  const extra = 32 + (scale.num / scale.den).toString(2).length // scale multiplies the width of the interval
  for (let known = 32; known <= 1024; known += 32) {
    const { low, high } = expInterval(t, known + extra)
    const left = (prefix << BigInt(extra)) * scale.den
    const right = ((prefix + 1n) << BigInt(extra)) * scale.den
    if (right <= low * scale.num) return true
    if (left >= high * scale.num) return false
    prefix = (prefix << 32n) | BigInt(bits.uint32())
  }
  throw stuckSource('a comparison with an exponential')
}
