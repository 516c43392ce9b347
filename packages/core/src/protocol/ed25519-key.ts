/** The prime of the field of Curve25519. */
const P = 2n ** 255n - 19n
/** The curve is -x² + y² = 1 + D x² y² (RFC 8032, section 5.1). */
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n
/** y of the points of order 8, but for its sign: a root of D y⁴ + 2 y² - 1. */
const Y_OF_ORDER_8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022n

/**
 * y of the points whose order divides 8: the neutral element, the one of order 2, the two of order 4 and the four of
 * order 8. Under such a key one signature fits many messages, so that it proves nothing.
 */
const SMALL_ORDER: ReadonlySet<bigint> = new Set([1n, P - 1n, 0n, Y_OF_ORDER_8, P - Y_OF_ORDER_8])

/**
 * What is wrong with an Ed25519 public key of 32 bytes; undefined where it names a point of the curve, in the only
 * encoding that it has, that is not of small order. Verifying signatures does not look at any of this.
 */
export function ed25519KeyFault(key: Uint8Array): string | undefined {
  if (key.length !== 32) return `${key.length} bytes`
  const y = key.reduceRight((value, byte, i) => (value << 8n) | BigInt(i === 31 ? byte & 0x7f : byte), 0n)
  if (y >= P) return 'a number that is not reduced'
  if (SMALL_ORDER.has(y)) return 'a point of small order'
  const ySquared = (y * y) % P
  const xSquared = ((ySquared + P - 1n) * power(1n + D * ySquared, P - 2n)) % P
  return power(xSquared, (P - 1n) / 2n) === 1n ? undefined : 'no point of the curve'
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (let square = base % P, rest = exponent; rest > 0n; rest >>= 1n, square = (square * square) % P) {
    if (rest & 1n) result = (result * square) % P
  }
  return result
}
