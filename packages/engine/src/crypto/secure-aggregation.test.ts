import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { SMALL_ORDER_KEYS } from '@fedsvd/testing/core/small-order-keys'
import { describe, expect, it } from 'vitest'
import { nodePrimitives, signerOf } from './secure-aggregation.ts'

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))
const hex = (value: Uint8Array | undefined): string | undefined => value && Buffer.from(value).toString('hex')
const text = (hexKey: string): string => Buffer.from(hexKey, 'hex').toString('base64url')
const ZERO_KEY = new Uint8Array(32)

describe('the primitives of secure aggregation, against published vectors', () => {
  it('SHA-256: FIPS 180-4, "abc"', () => {
    expect(hex(nodePrimitives.sha256(bytes('616263')))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
  })

  it('HKDF with SHA-256: RFC 5869, test case 1, its first 32 bytes', () => {
    const okm = nodePrimitives.hkdf(
      bytes('0b'.repeat(22)),
      bytes('000102030405060708090a0b0c'),
      bytes('f0f1f2f3f4f5f6f7f8f9'),
    )
    expect(hex(okm)).toBe('3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf')
  })

  it('X25519: RFC 7748, section 5.2, and the base point of section 4.1', () => {
    const scalar = bytes('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4')
    const point = bytes('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c')
    const product = 'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552'
    expect(hex(nodePrimitives.x25519(scalar, point))).toBe(product)
    // The iteration of section 5.2: once with scalar and point 9, which is a public key.
    const nine = bytes(`09${'00'.repeat(31)}`)
    const once = '422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079'
    expect(hex(nodePrimitives.x25519PublicKey(nine))).toBe(once)
    expect(hex(nodePrimitives.x25519(nine, nine))).toBe(once)
  })

  it('AES-256 in counter mode from zero: the blocks of the zero key in the GCM specification, cases 13 and 14', () => {
    const stream = nodePrimitives.keystream(ZERO_KEY)
    const blocks = [
      'dc95c078a2408989ad48a21492842087',
      '530f8afbc74536b9a963b4f1c4cb738b',
      'cea7403d4d606b6e074ec5d3baf39d18',
    ]
    expect(hex(stream(20))).toBe(blocks.join('').slice(0, 40))
    expect(hex(stream(28))).toBe(blocks.join('').slice(40))
  })

  it('AES-256-GCM: the GCM specification, cases 14 and 16', () => {
    const zeros = new Uint8Array(16)
    const sealed = nodePrimitives.seal(ZERO_KEY, new Uint8Array(12), zeros, new Uint8Array(0))
    expect(hex(sealed)).toBe('cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919')
    const [key, nonce] = [bytes('feffe9928665731c6d6a8f9467308308'.repeat(2)), bytes('cafebabefacedbaddecaf888')]
    const associated = bytes('feedfacedeadbeeffeedfacedeadbeefabaddad2')
    const plaintext = bytes(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
    )
    const ciphertext =
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662'
    const tag = '76fc6ece0f4e1768cddf8853bb2d551b'
    expect(hex(nodePrimitives.seal(key, nonce, plaintext, associated))).toBe(ciphertext + tag)
    expect(hex(nodePrimitives.open(key, nonce, bytes(ciphertext + tag), associated))).toBe(hex(plaintext))
  })

  it('Ed25519: RFC 8032, section 7.1, test 2', () => {
    const publicKey = text('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')
    const signature =
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00'
    const d = text('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb')
    const signer = signerOf(createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey, d }, format: 'jwk' }))
    expect(signer.publicKey).toBe(publicKey)
    expect(hex(signer.sign(bytes('72')))).toBe(signature)
    expect(nodePrimitives.verify(publicKey, bytes('72'), bytes(signature))).toBe(true)
    expect(nodePrimitives.verify(publicKey, bytes('73'), bytes(signature))).toBe(false)
  })

  it("Shamir's scheme: shares made of the products in FIPS 197, section 4.2", async () => {
    // In GF(2^8) {57}{13} = {fe} and {57}{83} = {c1}: the line s + {57} x has these values at {13} and {83}.
    const secret = [0x00, 0x01, 0xfe, 0xa5]
    const at = (x: number, product: number) => Uint8Array.from([...secret.map((s) => s ^ product), x])
    expect(await nodePrimitives.combine([at(0x13, 0xfe), at(0x83, 0xc1)])).toEqual(Uint8Array.from(secret))
  })
})

describe('what the primitives refuse', () => {
  it('X25519 keys of small order, in every encoding', () => {
    const largest = `${'ff'.repeat(30)}7f`
    const points = [
      '00'.repeat(32),
      `01${'00'.repeat(31)}`,
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
      `ec${largest}`,
      `ed${largest}`,
      `ee${largest}`,
    ]
    // The highest bit is not looked at.
    const encodings = points.flatMap((point) => {
      const other = bytes(point)
      other[31]! |= 0x80
      return [bytes(point), other]
    })
    const own = bytes('77'.repeat(32))
    for (const key of encodings) expect(() => nodePrimitives.x25519(own, key)).toThrow(/SUM_REFUSED/)
    expect(() => nodePrimitives.x25519(own, new Uint8Array(31))).toThrow(/SUM_REFUSED/)
    expect(() => nodePrimitives.x25519(own, nodePrimitives.x25519PublicKey(own))).not.toThrow()
  })

  it('Ed25519 keys of small order, and what is no key', () => {
    for (const key of SMALL_ORDER_KEYS) {
      expect(nodePrimitives.verify(text(key), bytes('00'), new Uint8Array(64))).toBe(false)
    }
    expect(nodePrimitives.verify('none', bytes('00'), new Uint8Array(64))).toBe(false)
    const signer = signerOf(generateKeyPairSync('ed25519').privateKey)
    expect(nodePrimitives.verify(signer.publicKey, bytes('00'), new Uint8Array(3))).toBe(false)
  })

  it('a box with one bit changed, another nonce, other associated data, or no room for a tag', () => {
    const [nonce, associated] = [new Uint8Array(12), bytes('0102')]
    const sealed = nodePrimitives.seal(ZERO_KEY, nonce, bytes('aabb'), associated)
    for (let bit = 0; bit < 8 * sealed.length; bit++) {
      const changed = Uint8Array.from(sealed)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      expect(nodePrimitives.open(ZERO_KEY, nonce, changed, associated)).toBeUndefined()
    }
    expect(nodePrimitives.open(ZERO_KEY, nonce, sealed, bytes('0103'))).toBeUndefined()
    expect(nodePrimitives.open(ZERO_KEY, new Uint8Array(12).fill(1), sealed, associated)).toBeUndefined()
    expect(nodePrimitives.open(ZERO_KEY, nonce, sealed.subarray(0, 15), associated)).toBeUndefined()
  })

  it('shares that cannot be of one secret; and fewer than the threshold give another one', async () => {
    const secret = bytes('42'.repeat(32))
    const shares = await nodePrimitives.split(secret, 5, 3)
    expect(await nodePrimitives.combine([shares[4]!, shares[0]!, shares[2]!])).toEqual(secret)
    expect(await nodePrimitives.combine(shares.slice(0, 2))).not.toEqual(secret)
    expect(await nodePrimitives.combine([shares[0]!, shares[0]!, shares[1]!])).toBeUndefined()
    expect(await nodePrimitives.combine([])).toBeUndefined()
  })
})
