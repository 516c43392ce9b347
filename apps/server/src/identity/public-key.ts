import { createPublicKey, type KeyObject } from 'node:crypto'
import { FedsvdError } from '@fedsvd/core/errors'

const ED25519_KEY = /^[A-Za-z0-9_-]{43}$/ // 32 bytes

/** @throws FedsvdError SIGNATURE_INVALID unless the text is a raw Ed25519 public key, base64url */
export function publicKeyFrom(text: string): KeyObject {
  try {
    if (!ED25519_KEY.test(text)) throw new TypeError('not 32 bytes')
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: text }, format: 'jwk' })
  } catch (cause) {
    throw new FedsvdError(
      'SIGNATURE_INVALID',
      {
        expected: 'a raw Ed25519 public key of 32 bytes, base64url',
        got: `${text.length} characters that are none`,
        remedy: 'Let the client generate its key again.',
      },
      { cause },
    )
  }
}
