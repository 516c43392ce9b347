import { describe, expect, it } from 'vitest'
import { hashSecret, UNMATCHABLE_HASH, verifySecret } from './secret-hash.ts'

describe('the hash of a secret', () => {
  it('fits its secret only, has a salt of its own, and says what it cost', async () => {
    const [first, second] = [await hashSecret('a long secret'), await hashSecret('a long secret')]
    expect(first).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    expect(first).not.toBe(second)
    expect(await verifySecret('a long secret', first)).toBe(true)
    expect(await verifySecret('a long secreT', first)).toBe(false)
    expect(await verifySecret('', first)).toBe(false)
  })

  it('is verified at the cost that it was made with: RFC 7914, section 12, third vector', async () => {
    const hash =
      'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640'
    const text = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '')
    const vector = `$scrypt$ln=10,r=8,p=16$${text(Buffer.from('NaCl'))}$${text(Buffer.from(hash, 'hex'))}`
    expect(await verifySecret('password', vector)).toBe(true)
    expect(await verifySecret('password', vector.replace('ln=10', 'ln=11'))).toBe(false)
  })

  it('of an unknown name takes as long to check as any other, and matches no secret', async () => {
    const costOf = (hash: string) => hash.split('$').slice(0, 3)
    expect(costOf(UNMATCHABLE_HASH)).toEqual(costOf(await hashSecret('a long secret')))
    expect(UNMATCHABLE_HASH).toHaveLength((await hashSecret('a long secret')).length)
    expect(await verifySecret('', UNMATCHABLE_HASH)).toBe(false)
  })

  it('that is damaged is an error, not a refusal', async () => {
    await expect(verifySecret('secret', 'plain')).rejects.toThrow(TypeError)
  })
})
