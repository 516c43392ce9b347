import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import type { Primitives, Signer } from '@fedsvd/core/secure-aggregation'
import { combine, split } from 'shamir-secret-sharing'
import { osRandomness } from './os-randomness.ts'
import { publicKeyFrom } from './public-key.ts'

const TAG_BYTES = 16
const ZERO_COUNTER = new Uint8Array(16)
const X25519 = { kty: 'OKP', crv: 'X25519' } as const

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')

/** Node takes the private half alone and computes the public one; as JWK that is ten times as fast as it is as DER. */
const privateKeyOf = (bytes: Uint8Array): KeyObject =>
  createPrivateKey({ key: { ...X25519, x: base64url(ZERO_KEY), d: base64url(bytes) }, format: 'jwk' })

const publicKeyOf = (bytes: Uint8Array): KeyObject =>
  createPublicKey({ key: { ...X25519, x: base64url(bytes) }, format: 'jwk' })

const ZERO_KEY = new Uint8Array(32)

/** Secure aggregation's cryptography by `node:crypto`, and Shamir's scheme by `shamir-secret-sharing`. */
export const nodePrimitives: Primitives = {
  random: osRandomness,
  sha256: (bytes) => createHash('sha256').update(bytes).digest(),
  hkdf: (secret, salt, info) => new Uint8Array(hkdfSync('sha256', secret, salt, info, 32)),
  x25519PublicKey: (privateKey) => {
    const { x } = createPublicKey(privateKeyOf(privateKey)).export({ format: 'jwk' })
    return new Uint8Array(Buffer.from(x!, 'base64url'))
  },
  x25519(privateKey, publicKey) {
    const secret = sharedSecret(privateKey, publicKey)
    if (secret?.some((byte) => byte !== 0)) return secret
    throw new FedsvdError('SUM_REFUSED', {
      expected: 'an X25519 public key of 32 bytes and of large order',
      got: `${publicKey.length} bytes whose shared secret is zero`,
      remedy: 'Leave the site out that advertised it.',
    })
  },
  keystream(key) {
    const cipher = createCipheriv('aes-256-ctr', key, ZERO_COUNTER)
    let zeros = new Uint8Array(0)
    return (length) => {
      if (zeros.length < length) zeros = new Uint8Array(length)
      return cipher.update(zeros.subarray(0, length))
    }
  },
  seal(key, nonce, plaintext, associated) {
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(associated)
    return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
  },
  open(key, nonce, sealed, associated) {
    if (sealed.length < TAG_BYTES) return undefined
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(associated).setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
    const plaintext = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES))
    try {
      return Buffer.concat([plaintext, decipher.final()])
    } catch {
      return undefined
    }
  },
  verify(publicKey, message, signature) {
    try {
      return verify(null, message, verificationKey(publicKey), signature)
    } catch (error) {
      if (isFedsvdError(error)) return false
      throw error
    }
  },
  split: (secret, shares, threshold) => split(Uint8Array.from(secret), shares, threshold),
  combine: async (shares) => {
    try {
      return await combine(shares.map((share) => Uint8Array.from(share)))
    } catch {
      return undefined
    }
  },
}

const MOST_REMEMBERED = 2048
const remembered = new Map<string, KeyObject>()

/** A key is checked by arithmetic that takes longer than a signature, and sites sign in every round. */
function verificationKey(text: string): KeyObject {
  const known = remembered.get(text)
  if (known !== undefined) return known
  const key = publicKeyFrom(text)
  if (remembered.size >= MOST_REMEMBERED) remembered.clear()
  remembered.set(text, key)
  return key
}

/** Undefined where OpenSSL finds the secret to be zero, or the bytes to be no key. */
function sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  if (publicKey.length !== 32) return undefined
  const own = privateKeyOf(privateKey)
  try {
    return diffieHellman({ privateKey: own, publicKey: publicKeyOf(publicKey) })
  } catch {
    return undefined
  }
}

/** Signs with an Ed25519 key of `node:crypto`. */
export function signerOf(privateKey: KeyObject): Signer {
  const publicKey = createPublicKey(privateKey).export({ format: 'jwk' }).x!
  return { publicKey, sign: (message) => sign(null, message, privateKey) }
}
