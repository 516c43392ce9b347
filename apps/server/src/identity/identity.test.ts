import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { PROTOCOL_VERSION, sessionChallengeText } from '@fedsvd/core/protocol'
import { temporaryFolder } from '@fedsvd/testing/server'
import { describe, expect, it } from 'vitest'
import { SECRETS } from '../secrets.ts'
import { createMemoryStore } from '../storage/records/memory/index.ts'
import { secretFile } from './secret-file.ts'
import { createSessions } from './sessions.ts'
import { uploadTokens } from './upload-tokens.ts'

describe('upload tokens', () => {
  const right = { runId: randomUUID(), round: 3, clientId: randomUUID() }
  const tokens = uploadTokens(Buffer.from('a secret'))

  it('name their client, and are the same after a restart with the same secret', () => {
    expect(tokens.verify(tokens.issue(right), right)).toBe(right.clientId)
    expect(uploadTokens(Buffer.from('a secret')).issue(right)).toBe(tokens.issue(right))
    expect(tokens.issue(right)).toMatch(/^[A-Za-z0-9_-]{64}$/)
  })

  it('are worth nothing elsewhere', () => {
    const token = tokens.issue(right)
    const forged = Buffer.from(token, 'base64url')
    forged[3]! ^= 1 // another client
    const attempts: [string | undefined, { runId: string; round: number }][] = [
      [token, { ...right, round: 4 }],
      [token, { ...right, runId: randomUUID() }],
      [uploadTokens(Buffer.from('another secret')).issue(right), right],
      [forged.toString('base64url'), right],
      [token.slice(0, -4), right],
      ['', right],
      [undefined, right],
    ]
    for (const [attempt, place] of attempts) expect(() => tokens.verify(attempt, place)).toThrow(/TOKEN_INVALID/)
  })
})

describe('sessions', () => {
  async function enrolled() {
    const store = createMemoryStore()
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const id = randomUUID()
    await store.clients.addTokens([{ hash: 'h', createdAt: 0, expiresAt: 10 }])
    await store.clients.enrol('h', {
      id,
      name: 'site',
      publicKey: publicKey.export({ format: 'jwk' }).x!,
      enrolledAt: 1,
    })
    const time = { now: 1_000_000 }
    const sessions = createSessions(store.clients, () => time.now)
    const handshake = (nonce: string) => {
      const signature = sign(null, Buffer.from(sessionChallengeText(id, nonce)), privateKey).toString('base64url')
      return { protocolVersion: PROTOCOL_VERSION, clientId: id, nonce, signature }
    }
    return { sessions, id, time, handshake }
  }

  it('take a signed nonce once, and within a minute', async () => {
    const { sessions, id, time, handshake } = await enrolled()
    const nonce = sessions.challenge(id)
    time.now += 59_999
    expect(await sessions.authenticate(handshake(nonce))).toMatchObject({ id, name: 'site' })
    await expect(sessions.authenticate(handshake(nonce))).rejects.toThrow(/TOKEN_INVALID: .*used before/)
    const late = sessions.challenge(id)
    time.now += 60_000
    await expect(sessions.authenticate(handshake(late))).rejects.toThrow(/TOKEN_INVALID: .*expired/)
  })

  it('use a nonce up even when the signature is wrong, so that no signature can be tried twice', async () => {
    const { sessions, id, handshake } = await enrolled()
    const nonce = sessions.challenge(id)
    const wrong = { ...handshake(nonce), signature: handshake('other').signature }
    await expect(sessions.authenticate(wrong)).rejects.toThrow(/SIGNATURE_INVALID/)
    await expect(sessions.authenticate(handshake(nonce))).rejects.toThrow(/TOKEN_INVALID/)
  })

  it('do not let a stranger use a nonce, nor fill the memory with them', async () => {
    const { sessions, id, handshake } = await enrolled()
    const strangers = sessions.challenge(randomUUID())
    await expect(sessions.authenticate(handshake(strangers))).rejects.toThrow(/TOKEN_INVALID: .*foreign/)
    const first = sessions.challenge(id)
    for (let count = 0; count < 100_000; count += 1) sessions.challenge(id)
    await expect(sessions.authenticate(handshake(first))).rejects.toThrow(/TOKEN_INVALID/) // pushed out
    const last = sessions.challenge(id)
    expect(await sessions.authenticate(handshake(last))).toMatchObject({ id })
  })

  it('end their tokens with the connection', async () => {
    const { sessions, id } = await enrolled()
    const token = sessions.begin(id, randomUUID())
    expect(await sessions.clientOf(token)).toBe(id)
    sessions.end(token)
    await expect(sessions.clientOf(token)).rejects.toThrow(/TOKEN_INVALID/)
    await expect(sessions.clientOf(undefined)).rejects.toThrow(/TOKEN_INVALID/)
  })
})

describe('a secret in a file', () => {
  it('is made up once, and only its owner may read it', async () => {
    await using folder = await temporaryFolder()
    const file = path.join(folder.path, 'secret')
    const [first, second] = [await secretFile(file, SECRETS.uploadSecret), await secretFile(file, SECRETS.uploadSecret)]
    expect(first).toBe(second)
    expect(Buffer.from(first, 'base64url')).toHaveLength(32)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })
})
