import type { AdapterStore } from '../store.ts'
import { keyOf, type Tables } from './tables.ts'

export function memoryAdapters({ adapters, participants }: Tables): AdapterStore {
  const adaptersOf = (runId: string) => [...adapters.values()].filter((adapter) => adapter.runId === runId)
  return {
    find: async (runId, number) => adapters.get(keyOf(runId, number)),
    newest: async (runId) =>
      adaptersOf(runId)
        .filter(({ publishedAt }) => publishedAt !== undefined)
        .sort((left, right) => right.number - left.number)[0],
    kept: async (runId) =>
      adaptersOf(runId)
        .filter(({ retiredAt }) => retiredAt === undefined)
        .map(({ number }) => number)
        .sort((left, right) => left - right),
    async retire(runId, numbers, at) {
      for (const number of numbers) {
        const adapter = adapters.get(keyOf(runId, number))
        if (adapter !== undefined) adapters.set(keyOf(runId, number), { retiredAt: at, ...adapter })
      }
    },
    mayRead: async (clientId, sha256) =>
      [...adapters.values()].some(
        (adapter) =>
          adapter.sha256 === sha256 &&
          adapter.publishedAt !== undefined &&
          participants.has(keyOf(adapter.runId, clientId)),
      ),
  }
}
