import { createHash, createPublicKey, generateKeyPairSync, randomUUID, verify } from 'node:crypto'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sessionChallengeText } from '@fedsvd/core/protocol'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { describe, expect, it } from 'vitest'
import { enrolledAs, loadIdentity, rememberEnrolment } from '../identity/identity.ts'

describe('the identity of a node', () => {
  it('is made once, kept for its owner only, and signs', () => {
    using folder = temporaryFolder()
    const identity = loadIdentity(folder.path, 'https://one.test')
    expect(loadIdentity(folder.path, 'https://one.test').publicKey).toBe(identity.publicKey)
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
    loadIdentity(folder.path, 'https://one.test')
    for (const name of readdirSync(folder.path)) writeFileSync(join(folder.path, name), 'nonsense')
    expect(() => loadIdentity(folder.path, 'https://one.test')).toThrow('CONFIG_INVALID: expected an Ed25519 key')
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

  it('is another one at each coordinator, so that none can hand on the challenge of another', () => {
    using folder = temporaryFolder()
    const one = loadIdentity(folder.path, 'https://one.test')
    const two = loadIdentity(folder.path, 'https://two.test')
    const clientId = randomUUID() // the identifier at one.test, which two.test gave out once more
    const relayed = Buffer.from(two.signChallenge(clientId, 'a nonce of one.test'), 'base64url')
    const known = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: one.publicKey }, format: 'jwk' })
    expect(verify(null, Buffer.from(sessionChallengeText(clientId, 'a nonce of one.test')), known, relayed)).toBe(false)
    expect(loadIdentity(folder.path, 'https://two.test', 'other-people').publicKey).not.toBe(two.publicKey)
  })

  it('of an earlier release, one key for addresses as they were typed, goes on where it is known and nowhere else', () => {
    using folder = temporaryFolder()
    const clientId = randomUUID()
    const { privateKey, publicKey: key } = generateKeyPairSync('ed25519')
    writeFileSync(join(folder.path, 'client-key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    const publicKey = key.export({ format: 'jwk' }).x!
    const typed = 'https://Fed.test:443/'
    const file = `${createHash('sha256').update(`${typed} ${publicKey}`).digest('hex').slice(0, 16)}.json`
    mkdirSync(join(folder.path, 'enrolments'))
    writeFileSync(join(folder.path, 'enrolments', file), JSON.stringify({ coordinator: typed, clientId }))
    expect(enrolledAs(folder.path, 'https://fed.test')).toBe(clientId)
    expect(loadIdentity(folder.path, 'https://fed.test').publicKey).toBe(publicKey)
    expect(loadIdentity(folder.path, 'https://other.test').publicKey).not.toBe(publicKey)
  })
})
