import { createHash } from 'node:crypto'
import type { Primitives, Signer } from '@fedsvd/core/secure-aggregation'
import { nodePrimitives } from '@fedsvd/engine/crypto'

const digestOf = (...parts: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

const publicKey = (privateKey: Uint8Array): Uint8Array => digestOf(Buffer.from('public'), privateKey)

/**
 * The real primitives, but for the two that are slow: "X25519" whose secret is a hash of the two public keys, and
 * "Ed25519" whose signature is a hash. They work alike and protect nothing; for tests that count thousands of sums.
 */
export const quickPrimitives: Primitives = {
  ...nodePrimitives,
  x25519PublicKey: publicKey,
  x25519: (privateKey, other) => {
    const [one, two] = [publicKey(privateKey), other]
    return Buffer.compare(one, two) < 0 ? digestOf(one, two) : digestOf(two, one)
  },
  verify: (key, message, signature) => Buffer.compare(signed(key, message), signature) === 0,
}

const signed = (key: string, message: Uint8Array): Uint8Array => {
  const half = digestOf(Buffer.from(key), message)
  return Buffer.concat([half, half])
}

/** A signer for {@link quickPrimitives}. */
export function quickSigner(name: string): Signer {
  const key = digestOf(Buffer.from(name)).toString()
  const publicKeyText = Buffer.from(digestOf(Buffer.from(key))).toString('base64url')
  return { publicKey: publicKeyText, sign: (message) => signed(publicKeyText, message) }
}
