import { generateKeyPairSync } from 'node:crypto'
import { nodePrimitives, signerOf } from '@fedsvd/engine/crypto'
import { describe, expect, it } from 'vitest'
import { certifiedSites, certifySite, pinnedSites } from './known-sites.ts'

const newSigner = () => signerOf(generateKeyPairSync('ed25519').privateKey)
const authority = newSigner()
const consortium = { name: 'Northern hospitals', key: authority.publicKey }
const site = newSigner().publicKey
const known = (today: number, other = consortium) => certifiedSites(other, { primitives: nodePrimitives, today })

describe('sites that are known', () => {
  it('by their pinned keys are those and no others', () => {
    expect(pinnedSites([site])({ site })).toBeUndefined()
    expect(pinnedSites([site])({ site: authority.publicKey })).toMatch(/not pinned/)
  })

  it("by a consortium's word are those with its certificate, until the end of its last day", () => {
    const certificate = certifySite(consortium, authority, { site, lastDay: 20_000 })
    expect(known(20_000)({ site, certificate })).toBeUndefined()
    expect(known(20_001)({ site, certificate })).toMatch(/run out/)
    expect(known(20_000)({ site })).toMatch(/without a certificate/)
  })

  it('are not whoever has a certificate of another site, day, consortium or authority', () => {
    const certificate = certifySite(consortium, authority, { site, lastDay: 20_000 })
    const another = newSigner()
    const unsigned = /did not sign/
    expect(known(1)({ site: another.publicKey, certificate })).toMatch(unsigned)
    expect(known(1)({ site, certificate: { ...certificate, lastDay: 30_000 } })).toMatch(unsigned)
    expect(known(1, { ...consortium, name: 'Southern hospitals' })({ site, certificate })).toMatch(unsigned)
    expect(known(1)({ site, certificate: certifySite(consortium, another, { site, lastDay: 20_000 }) })).toMatch(
      unsigned,
    )
  })

  it('are of a consortium with a plain name', () => {
    for (const name of ['', 'Krankenhäuser', 'x'.repeat(101)]) {
      expect(() => certifySite({ name }, authority, { site, lastDay: 1 })).toThrow(/SUM_REFUSED/)
    }
  })
})
