import type { RandomSource } from '../random/index.ts'

/**
 * The cryptography that the protocol stands on, handed in: core has none of its own. `@fedsvd/engine/crypto` has the
 * implementation for Node. Keys, shares and digests are bytes; every function is deterministic but `split`.
 */
export interface Primitives {
  /** For private keys, seeds, nonces and the choice of neighbours. */
  readonly random: RandomSource
  /** SHA-256 (FIPS 180-4): 32 bytes. */
  sha256(bytes: Uint8Array): Uint8Array
  /** HKDF with SHA-256 (RFC 5869): 32 bytes. */
  hkdf(secret: Uint8Array, salt: Uint8Array, info: Uint8Array): Uint8Array
  /** The X25519 public key (RFC 7748) of 32 bytes of private key. */
  x25519PublicKey(privateKey: Uint8Array): Uint8Array
  /**
   * The X25519 shared secret: 32 bytes, never all zero.
   *
   * @throws FedsvdError SUM_REFUSED for a public key of small order, whose secret everybody knows
   */
  x25519(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array
  /**
   * The key stream of AES-256 in counter mode (NIST SP 800-38A) from counter zero on; each call returns the bytes that
   * follow those before. A key is used for one stream only.
   */
  keystream(key: Uint8Array): (length: number) => Uint8Array
  /** AES-256-GCM (NIST SP 800-38D): the ciphertext, and behind it the tag of 16 bytes. `nonce` has 12 bytes. */
  seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, associated: Uint8Array): Uint8Array
  /** What was sealed; undefined where key, nonce, associated data or a single bit is another. */
  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array | undefined
  /** Whether the signature is one of the Ed25519 key (RFC 8032) for the message; false for a key of small order. */
  verify(publicKey: string, message: Uint8Array, signature: Uint8Array): boolean
  /**
   * Shamir's shares of a secret over GF(2^8): `threshold` of them give it back, fewer say nothing. At most 255 shares;
   * a share is one byte longer than the secret.
   */
  split(secret: Uint8Array, shares: number, threshold: number): Promise<readonly Uint8Array[]>
  /**
   * The secret of `threshold` or more shares; of fewer, or of wrong ones, any bytes. Undefined for what cannot be
   * shares of one secret.
   */
  combine(shares: readonly Uint8Array[]): Promise<Uint8Array | undefined>
}

/** The identity of a site: its Ed25519 key, whose private half stays with whoever hands this in. */
export interface Signer {
  /** The raw public key of 32 bytes, base64url. */
  readonly publicKey: string
  /** The Ed25519 signature, 64 bytes. */
  sign(message: Uint8Array): Uint8Array
}

/** Bytes of one 32-byte key, seed or digest. */
export const KEY_BYTES = 32

/** Fresh random bytes. */
export function randomBytes({ random }: Pick<Primitives, 'random'>, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  random.fill(bytes)
  return bytes
}
