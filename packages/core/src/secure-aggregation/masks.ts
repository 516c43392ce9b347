import type { Primitives } from './primitives.ts'
import { addMask, type RingVector } from './ring.ts'
import { bytesOf, textOf, transcript } from './transcript.ts'

/**
 * What masks are derived for: a roster and those of it who shared their secrets. Two sites that were told of different
 * ones have masks that do not cancel.
 */
export function sessionIdOf(
  roster: string,
  sharers: readonly number[],
  { sha256 }: Pick<Primitives, 'sha256'>,
): string {
  return textOf(sha256(transcript('session', roster, ...sharers)))
}

/** Adds the mask of a site's own seed, or takes it away. */
export function addOwnMask(
  vector: RingVector,
  { seed, session, site, sign }: { seed: Uint8Array; session: string; site: number; sign: 1 | -1 },
  primitives: Primitives,
): void {
  const key = primitives.hkdf(seed, bytesOf(session), transcript('own mask', site))
  addMask(vector, primitives.keystream(key), sign)
}

/**
 * Adds what the mask of the pair `site`, `other` is in the vector of `site`, or takes it away: plus in that of the
 * lower place, minus in that of the higher, so that it cancels in their sum.
 */
export function addPairMask(
  vector: RingVector,
  mask: {
    /** Mask keys: the private one of either side, and the public one of the other. */
    readonly privateKey: Uint8Array
    readonly publicKey: string
    readonly session: string
    readonly site: number
    readonly other: number
    readonly sign: 1 | -1
  },
  primitives: Primitives,
): void {
  const { privateKey, publicKey, session, site, other, sign } = mask
  const secret = primitives.x25519(privateKey, bytesOf(publicKey))
  const pair = transcript('pair mask', Math.min(site, other), Math.max(site, other))
  const key = primitives.hkdf(secret, bytesOf(session), pair)
  addMask(vector, primitives.keystream(key), site < other ? sign : sign === 1 ? -1 : 1)
}
