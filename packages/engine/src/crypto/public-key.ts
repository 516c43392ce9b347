import { createPublicKey, type KeyObject } from 'node:crypto'
import { FedsvdError } from '@fedsvd/core/errors'
import { ed25519KeyFault } from '@fedsvd/core/protocol'

/** 32 bytes as base64url, whose last character carries four bits. */
const ENCODED = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

/**
 * The key to verify signatures with. A key of small order, under which a signature proves nothing, is refused, and so
 * is another encoding of a key than the one that it has: wherever a public key is taken in, it is taken in by this
 * function.
 *
 * @throws FedsvdError SIGNATURE_INVALID unless the text is a raw Ed25519 public key, base64url
 */
export function publicKeyFrom(text: string): KeyObject {
  const fault = ENCODED.test(text) ? ed25519KeyFault(Buffer.from(text, 'base64url')) : 'another text'
  if (fault === undefined) return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: text }, format: 'jwk' })
  throw new FedsvdError('SIGNATURE_INVALID', {
    expected: 'a raw Ed25519 public key of 32 bytes, base64url',
    got: fault,
    remedy: 'Generate the key again.',
  })
}
