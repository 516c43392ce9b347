import { tokenRefused } from '../refusals.ts'
import type { ClientStore } from '../store.ts'
import type { Tables } from './tables.ts'

export function memoryClients({ tokens, clients }: Tables): ClientStore {
  return {
    async addTokens(added) {
      for (const token of added) tokens.set(token.hash, token)
    },
    async enrol(tokenHash, client) {
      const token = tokens.get(tokenHash)
      if (token === undefined) throw tokenRefused('an unknown token')
      if (token.usedAt !== undefined) throw tokenRefused('a token that was used before')
      if (token.expiresAt <= client.enrolledAt) throw tokenRefused('an expired token')
      tokens.set(tokenHash, { ...token, usedAt: client.enrolledAt })
      clients.set(client.id, client)
    },
    find: async (clientId) => clients.get(clientId),
    names: async (clientIds) =>
      new Map(clientIds.flatMap((id) => (clients.has(id) ? [[id, clients.get(id)!.name] as const] : []))),
  }
}
