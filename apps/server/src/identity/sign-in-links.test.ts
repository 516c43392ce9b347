import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { createMemoryStore } from '../storage/records/memory/index.ts'
import { LINK_LIFETIME_MS, signInLinks } from './sign-in-links.ts'

const SECRET = Buffer.alloc(32, 7)
const ADA = randomUUID()

function linksAt(clock: { now: number }, secret = SECRET, { nonces } = createMemoryStore()) {
  return signInLinks(secret, nonces, () => clock.now)
}

it('a link is good once, for whom it was made', async () => {
  const links = linksAt({ now: 1000 })
  const { token, expiresAt } = links.issue(ADA)
  expect(expiresAt).toBe(1000 + LINK_LIFETIME_MS)
  expect([await links.redeem(token), await links.redeem(token)]).toEqual([ADA, undefined])
})

it('a link is good once for all coordinators that share a database', async () => {
  const store = createMemoryStore()
  const [one, other] = [linksAt({ now: 0 }, SECRET, store), linksAt({ now: 0 }, SECRET, store)]
  const { token } = one.issue(ADA)
  expect([await other.redeem(token), await one.redeem(token)]).toEqual([ADA, undefined])
})

it('a link ends when its time is over', async () => {
  const clock = { now: 0 }
  const links = linksAt(clock)
  const { token } = links.issue(ADA)
  clock.now = LINK_LIFETIME_MS
  expect(await links.redeem(token)).toBeUndefined()
})

it('nothing else is taken for a link: not of another secret, changed by a bit, cut or empty', async () => {
  const links = linksAt({ now: 0 })
  const { token } = links.issue(ADA)
  const bytes = Buffer.from(token, 'base64url')
  const changed = [0, 16, 24, 40].map((place) => {
    const copy = Buffer.from(bytes)
    copy[place]! ^= 1
    return copy.toString('base64url')
  })
  const others = [linksAt({ now: 0 }, Buffer.alloc(32, 8)).issue(ADA).token, ...changed, token.slice(0, -2), '', 'ä']
  for (const other of others) expect(await links.redeem(other)).toBeUndefined()
  expect(await links.redeem(token)).toBe(ADA)
})
