import { KEY_BYTES, type Primitives, randomBytes } from './primitives.ts'
import { bytesOf, textOf, transcript } from './transcript.ts'

/** Of one owner's two secrets the shares that one holder has; base64url. */
export interface HeldShares {
  readonly maskKeyShare: string
  readonly seedShare: string
}

export type SecretKind = 'mask key' | 'seed'

/** Who seals for whom, within which roster. */
export interface Route {
  /** The roster's id. */
  readonly roster: string
  readonly from: number
  readonly to: number
}

/** The two ends of a channel: a private key here, and the public key of the other side. */
export interface Channel {
  readonly privateKey: string
  readonly publicKey: string
}

const NONCE_BYTES = 12
const SHARE_BYTES = KEY_BYTES + 1

/** Each direction of each pair has a key of its own in each roster, and the route is authenticated besides. */
function boxKey({ privateKey, publicKey }: Channel, { roster, from, to }: Route, primitives: Primitives): Uint8Array {
  const secret = primitives.x25519(bytesOf(privateKey), bytesOf(publicKey))
  return primitives.hkdf(secret, bytesOf(roster), transcript('box', from, to))
}

const associated = ({ roster, from, to }: Route): Uint8Array => transcript('box', roster, from, to)

/** Two shares for one holder, sealed so that nobody else reads them: nonce, ciphertext, tag. */
export function sealShares(shares: HeldShares, channel: Channel, route: Route, primitives: Primitives): string {
  const nonce = randomBytes(primitives, NONCE_BYTES)
  const plaintext = new Uint8Array([...bytesOf(shares.maskKeyShare), ...bytesOf(shares.seedShare)])
  const sealed = primitives.seal(boxKey(channel, route, primitives), nonce, plaintext, associated(route))
  return textOf(new Uint8Array([...nonce, ...sealed]))
}

/** What was sealed on this route; undefined where it was not sealed by its owner for this holder and this roster. */
export function openShares(
  box: string,
  channel: Channel,
  route: Route,
  primitives: Primitives,
): HeldShares | undefined {
  const bytes = bytesOf(box)
  const [nonce, sealed] = [bytes.subarray(0, NONCE_BYTES), bytes.subarray(NONCE_BYTES)]
  const plaintext = primitives.open(boxKey(channel, route, primitives), nonce, sealed, associated(route))
  if (plaintext?.length !== 2 * SHARE_BYTES) return undefined
  return {
    maskKeyShare: textOf(plaintext.subarray(0, SHARE_BYTES)),
    seedShare: textOf(plaintext.subarray(SHARE_BYTES)),
  }
}

/** The digest by which the coordinator tells a wrong share from a right one. A share hides behind it as a seed does. */
export function shareDigest(
  share: string,
  { roster, of, by, kind }: { roster: string; of: number; by: number; kind: SecretKind },
  { sha256 }: Pick<Primitives, 'sha256'>,
): string {
  return textOf(sha256(transcript('share', roster, of, by, kind, bytesOf(share))))
}
