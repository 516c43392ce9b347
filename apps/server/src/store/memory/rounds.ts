import type { RoundStore } from '../store.ts'
import type { Fence } from './cluster.ts'
import { addFact, factKey, keyOf, type Tables } from './tables.ts'

export function memoryRounds(tables: Tables, fence: Fence): RoundStore {
  const { rounds, evaluations, adapters, facts } = tables
  const publishedOf = (runId: string) =>
    [...rounds.values()].filter((round) => round.runId === runId && round.phase === 'published')
  return {
    find: async (runId, round) => rounds.get(keyOf(runId, round)),
    publishedCount: async (runId) => publishedOf(runId).length,
    async save({ before, after, spent, released }) {
      const { runId, round, result, publishedAt } = after
      fence(runId)
      const key = keyOf(runId, round)
      if (rounds.get(key)?.version !== before?.version) return false
      rounds.set(key, after)
      for (const fact of spent) addFact(tables, fact)
      for (const clientId of released) {
        const first = factKey({ runId, clientId, round, attempt: 1, event: { unit: 'record' } })
        const fact = facts.get(first)
        if (fact !== undefined) facts.set(first, { ...fact, voided: true })
      }
      if (result !== undefined) {
        const published = publishedAt === undefined ? {} : { publishedAt }
        adapters.set(keyOf(runId, round + 1), { runId, number: round + 1, ...result, ...published })
      }
      return true
    },
    published: async (runId) =>
      publishedOf(runId)
        .sort((left, right) => left.round - right.round)
        .map(({ round, tasks, openedAt, publishedAt }) => {
          const evaluation = evaluations.get(keyOf(runId, round))
          const clients = tasks.filter(({ state }) => state === 'delivered').map(({ clientId }) => clientId)
          return { round, clients, openedAt, publishedAt: publishedAt!, ...(evaluation && { evaluation }) }
        }),
    history: async (runId, sinceRound, limit) =>
      [...rounds.values()]
        .filter((round) => round.runId === runId && round.round >= sinceRound)
        .sort((left, right) => left.round - right.round)
        .slice(0, limit),
    async setEvaluation(runId, round, evaluation) {
      fence(runId)
      evaluations.set(keyOf(runId, round), evaluation)
    },
  }
}
