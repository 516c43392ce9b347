import { nameKey } from '@fedsvd/core/protocol'
import { enrolledUnder } from '../namesakes.ts'
import { isLarger, tokenOfAnother, tokenRefused } from '../refusals.ts'
import type { ClientStore } from '../store.ts'
import { appendAudit } from './audit.ts'
import { levelOf, type Tables } from './tables.ts'

export function memoryClients(tables: Tables): ClientStore {
  const { tokens, clients, caps, facts } = tables
  const capsOf = (clientId: string) => caps.filter((cap) => cap.clientId === clientId)
  const isUsed = (clientId: string) =>
    [...facts.values()].some(
      (fact) => fact.clientId === clientId && !fact.voided && levelOf(fact.event.unit) === 'site',
    )
  const namesakes = (name: string) => [...clients.values()].filter((client) => nameKey(client.name) === nameKey(name))
  return {
    async addTokens(added, audit) {
      for (const token of added) tokens.set(token.hash, token)
      appendAudit(tables, audit)
    },
    tokens: async (limit) =>
      [...tokens.values()]
        .sort((left, right) => right.createdAt - left.createdAt || compare(left.hash, right.hash))
        .slice(0, limit),
    async withdrawToken(hashPrefix, at, audit) {
      const open = [...tokens.values()].filter(
        ({ hash, clientId, expiresAt }) => hash.startsWith(hashPrefix) && clientId === undefined && expiresAt > at,
      )
      for (const token of open) tokens.set(token.hash, { ...token, expiresAt: at })
      if (open.length > 0) appendAudit(tables, audit)
      return open.length > 0
    },
    async enrol(tokenHash, client, audit) {
      const token = tokens.get(tokenHash)
      if (token === undefined) throw tokenRefused('an unknown token')
      if (token.clientId !== undefined) {
        if (clients.get(token.clientId)?.publicKey === client.publicKey) return { clientId: token.clientId }
        throw tokenRefused('a token that was used before')
      }
      if (token.expiresAt <= client.enrolledAt) throw tokenRefused('an expired token')
      if (token.name !== undefined && nameKey(token.name) !== nameKey(client.name)) throw tokenOfAnother(client.name)
      const taken = enrolledUnder(namesakes(client.name), client.publicKey)
      if (taken !== undefined) return taken
      tokens.set(tokenHash, { ...token, clientId: client.id })
      clients.set(client.id, client)
      appendAudit(tables, audit)
      return { clientId: client.id }
    },
    namesakes: async (name) => namesakes(name),
    async expireTokens(at) {
      for (const [hash, token] of tokens) {
        if (token.clientId === undefined && token.expiresAt > at) tokens.set(hash, { ...token, expiresAt: at })
      }
    },
    find: async (clientId) => clients.get(clientId),
    list: async () =>
      [...clients.values()].sort((left, right) =>
        left.name === right.name ? compare(left.id, right.id) : compare(left.name, right.name),
      ),
    async revoke(clientId, at, audit) {
      const client = clients.get(clientId)
      if (client === undefined || client.revokedAt !== undefined) return false
      clients.set(clientId, { ...client, revokedAt: at })
      appendAudit(tables, audit)
      return true
    },
    revokedAmong: async (clientIds) => clientIds.filter((id) => clients.get(id)?.revokedAt !== undefined),
    names: async (clientIds) =>
      new Map(clientIds.flatMap((id) => (clients.has(id) ? [[id, clients.get(id)!.name] as const] : []))),
    async seen(clientId, at, version) {
      const client = clients.get(clientId)
      if (client !== undefined) clients.set(clientId, { ...client, lastSeenAt: at, ...(version && { version }) })
    },
    async noteLedger(clientId, ledger) {
      const client = clients.get(clientId)
      if (client === undefined) return undefined
      if (client.ledger !== undefined && client.ledger.length >= ledger.length) return client.ledger
      clients.set(clientId, { ...client, ledger })
      return ledger
    },
    capsOf: async (clientId) => capsOf(clientId),
    caps: async () => [...caps],
    async setCap(cap, audit) {
      const before = capsOf(cap.clientId).at(-1)
      if (before !== undefined && isLarger(cap, before) && isUsed(cap.clientId)) return false
      caps.push(cap)
      appendAudit(tables, audit)
      return true
    },
  }
}

function compare(left: string, right: string): number {
  return left < right ? -1 : 1
}
