import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { type ClientHandshake, PROTOCOL_VERSION, sessionChallengeText } from '@fedsvd/core/protocol'
import { describe, expect, it } from 'vitest'
import { createMemoryStore } from '../storage/records/memory/index.ts'
import { NONCE_LIFETIME_MS } from './sessions.ts'
import { sharedSessions } from './shared-sessions.ts'

const SECRET = 'a secret that all coordinators of this test share'

async function twoCoordinators(secrets = [SECRET, SECRET]) {
  const store = createMemoryStore()
  const clock = { now: Date.now() }
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const id = randomUUID()
  const hash = randomUUID()
  await store.clients.addTokens([{ hash, createdAt: 0, expiresAt: 1 }])
  await store.clients.enrol(hash, { id, name: 'a', publicKey: publicKey.export({ format: 'jwk' }).x!, enrolledAt: 0 })
  const [here, there] = secrets.map((secret) =>
    sharedSessions({
      clients: store.clients,
      nonces: store.nonces,
      connections: store.connections,
      secret,
      now: () => clock.now,
    }),
  )
  const handshake = (nonce: string, clientId = id): ClientHandshake => {
    const signature = sign(null, Buffer.from(sessionChallengeText(clientId, nonce)), privateKey).toString('base64url')
    return { protocolVersion: PROTOCOL_VERSION, clientId, nonce, signature }
  }
  return { store, clock, id, here: here!, there: there!, handshake }
}

describe('sessions that coordinators share', () => {
  it('take a nonce of any of them, once', async () => {
    const { id, here, there, handshake } = await twoCoordinators()
    const auth = handshake(here.challenge(id))
    expect((await there.authenticate(auth)).id).toBe(id)
    for (const either of [here, there]) await expect(either.authenticate(auth)).rejects.toThrow(/used before/)
  })

  it('take no nonce that is foreign, made up, or too old', async () => {
    const { id, clock, here, there, handshake } = await twoCoordinators()
    const foreign = here.challenge(randomUUID())
    await expect(there.authenticate(handshake(foreign))).rejects.toThrow(/TOKEN_INVALID/)
    const nonce = Buffer.from(here.challenge(id), 'base64url')
    for (const index of [0, 20, nonce.length - 1]) {
      const changed = Buffer.from(nonce)
      changed[index]! ^= 1
      await expect(there.authenticate(handshake(changed.toString('base64url')))).rejects.toThrow(/TOKEN_INVALID/)
    }
    await expect(there.authenticate(handshake(''))).rejects.toThrow(/TOKEN_INVALID/)
    const late = here.challenge(id)
    clock.now += NONCE_LIFETIME_MS
    await expect(there.authenticate(handshake(late))).rejects.toThrow(/expired/)
    const other = await twoCoordinators(['x'.repeat(40), SECRET])
    const auth = other.handshake(other.here.challenge(other.id))
    await expect(other.there.authenticate(auth)).rejects.toThrow(/TOKEN_INVALID/)
  })

  it('know a token of any of them while its connection lives, and no longer', async () => {
    const { id, store, here, there } = await twoCoordinators()
    const [coordinatorId, first, second] = [randomUUID(), randomUUID(), randomUUID()]
    await store.coordinators.heartbeat({ id: coordinatorId, shared: '' }, 60_000)
    const token = here.begin(id, first)
    await expect(there.clientOf(token)).rejects.toThrow(/TOKEN_INVALID/) // not yet
    await store.connections.connect({ clientId: id, connectionId: first, coordinatorId })
    expect(await there.clientOf(token)).toBe(id)
    const changed = Buffer.from(token, 'base64url')
    changed[3]! ^= 1
    await expect(there.clientOf(changed.toString('base64url'))).rejects.toThrow(/TOKEN_INVALID/)
    await expect(there.clientOf(undefined)).rejects.toThrow(/TOKEN_INVALID/)
    await store.connections.connect({ clientId: id, connectionId: second, coordinatorId })
    await expect(there.clientOf(token)).rejects.toThrow(/TOKEN_INVALID/)
    expect(await there.clientOf(here.begin(id, second))).toBe(id)
    await store.coordinators.leave(coordinatorId)
    await expect(there.clientOf(here.begin(id, second))).rejects.toThrow(/TOKEN_INVALID/)
  })
})
