import { createHash, createPublicKey, randomUUID, verify } from 'node:crypto'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sessionChallengeText } from '@fedsvd/core/protocol'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../test-kit/temporary-folder.ts'
import { enrolledAs, loadIdentity, rememberEnrolment } from './identity.ts'

describe('the identity of a node', () => {
  it('is made once, kept for its owner only, and signs', () => {
    using folder = temporaryFolder()
    const identity = loadIdentity(folder.path)
    expect(loadIdentity(folder.path).publicKey).toBe(identity.publicKey)
    expect(Buffer.from(identity.publicKey, 'base64url')).toHaveLength(32)
    for (const name of readdirSync(folder.path)) expect(statSync(join(folder.path, name)).mode & 0o077).toBe(0)

    const clientId = randomUUID()
    const signature = Buffer.from(identity.signChallenge(clientId, 'nonce'), 'base64url')
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: identity.publicKey }, format: 'jwk' })
    expect(verify(null, Buffer.from(sessionChallengeText(clientId, 'nonce')), key, signature)).toBe(true)
    expect(verify(null, Buffer.from(sessionChallengeText(clientId, 'another')), key, signature)).toBe(false)
  })

  it('is refused in one line when its file is damaged', () => {
    using folder = temporaryFolder()
    loadIdentity(folder.path)
    writeFileSync(join(folder.path, 'client-key.pem'), 'nonsense')
    expect(() => loadIdentity(folder.path)).toThrow('CONFIG_INVALID: expected an Ed25519 key')
  })

  it('remembers each coordinator for itself, and asks a new key to enrol anew', () => {
    using folder = temporaryFolder()
    using other = temporaryFolder()
    const [one, two] = [randomUUID(), randomUUID()]
    rememberEnrolment(folder.path, 'https://one.test', one)
    rememberEnrolment(folder.path, 'https://two.test', two)
    expect(enrolledAs(folder.path, 'https://one.test')).toBe(one)
    expect(enrolledAs(folder.path, 'https://two.test')).toBe(two)
    expect(enrolledAs(folder.path, 'https://three.test')).toBeUndefined()
    expect(enrolledAs(other.path, 'https://one.test')).toBeUndefined()
  })

  it.each([
    ['https://FED.test:443/', 'https://fed.test'],
    ['https://fed.test.', 'https://fed.test'],
    ['https://fed.test/svd/', 'https://fed.test/svd'],
    ['https://fed.test//svd', 'https://fed.test/svd'],
    ['http://127.0.0.1:7373', 'http://localhost:7373/'],
    ['http://[::1]:7373/', 'http://localhost:7373'],
    ['http://0x7f000001:7373', 'http://localhost:7373'],
  ])('is one at a coordinator, spelt %s or %s', (one, other) => {
    using folder = temporaryFolder()
    const clientId = randomUUID()
    rememberEnrolment(folder.path, one, clientId)
    expect(enrolledAs(folder.path, other)).toBe(clientId)
    expect(enrolledAs(folder.path, one)).toBe(clientId)
    for (const different of ['https://fed.test:8443', 'https://fed.test/SVD', 'http://fed.test', 'http://localhost:80'])
      expect(enrolledAs(folder.path, different)).toBeUndefined()
  })

  it('of an earlier release, which kept addresses as they were typed, is found', () => {
    using folder = temporaryFolder()
    const clientId = randomUUID()
    const { publicKey } = loadIdentity(folder.path)
    const typed = 'https://Fed.test:443/'
    const file = `${createHash('sha256').update(`${typed} ${publicKey}`).digest('hex').slice(0, 16)}.json`
    mkdirSync(join(folder.path, 'enrolments'))
    writeFileSync(join(folder.path, 'enrolments', file), JSON.stringify({ coordinator: typed, clientId }))
    expect(enrolledAs(folder.path, 'https://fed.test')).toBe(clientId)
  })
})
