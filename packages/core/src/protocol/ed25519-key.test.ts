import { generateKeyPairSync, verify } from 'node:crypto'
import { keyObject, SMALL_ORDER_KEYS } from '@fedsvd/testing/core/small-order-keys'
import { describe, expect, it } from 'vitest'
import { ed25519KeyFault } from './ed25519-key.ts'

const hex = (text: string): Uint8Array => Buffer.from(text, 'hex')

describe('a public key', () => {
  it('is taken when it was generated', () => {
    for (let i = 0; i < 20; i += 1) {
      const { publicKey } = generateKeyPairSync('ed25519')
      expect(ed25519KeyFault(Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url'))).toBeUndefined()
    }
  })

  it.each(SMALL_ORDER_KEYS)('of small order is refused: %s', (key) => {
    expect(ed25519KeyFault(hex(key))).toMatch(/small order|not reduced/)
  })

  it('of small order is one under which a signature by nobody is good, for some message', ({ skip }) => {
    const byNobody = Buffer.concat([hex(SMALL_ORDER_KEYS[0]!), Buffer.alloc(32)])
    const isTaken = verify(null, Buffer.from('any'), keyObject(SMALL_ORDER_KEYS[0]!), byNobody)
    skip(!isTaken, 'this OpenSSL refuses keys of small order itself')
    for (const key of SMALL_ORDER_KEYS.filter((_, i) => i < 8)) {
      const forged = Array.from({ length: 100 }, (_, i) => verify(null, Buffer.from(`${i}`), keyObject(key), byNobody))
      expect(forged).toContain(true)
    }
  })

  it('is refused when it is not reduced, no point, or of another length', () => {
    expect(ed25519KeyFault(hex(`f0${'ff'.repeat(30)}7f`))).toBe('a number that is not reduced') // y = p + 3
    expect(ed25519KeyFault(hex(`02${'00'.repeat(31)}`))).toBe('no point of the curve')
    expect(ed25519KeyFault(new Uint8Array(31))).toBe('31 bytes')
  })
})
