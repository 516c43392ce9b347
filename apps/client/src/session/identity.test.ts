import { createPublicKey, randomUUID, verify } from 'node:crypto'
import { readdirSync, statSync, writeFileSync } from 'node:fs'
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
})
