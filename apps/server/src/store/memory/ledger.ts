import type { LedgerStore, RoundSpending, Spending } from '../store.ts'
import { addFact, keyOf, type Tables } from './tables.ts'

export function memoryLedger(tables: Tables): LedgerStore {
  const { facts, rounds } = tables
  return {
    facts: async (runId, clientId, sinceRound) =>
      [...facts.values()]
        .filter((fact) => fact.runId === runId && fact.clientId === clientId && fact.round >= sinceRound)
        .sort((left, right) => left.round - right.round || left.attempt - right.attempt),
    async adopt(adopted) {
      for (const fact of adopted) addFact(tables, fact)
    },
    async spending(runId) {
      const totals = new Map<string, Spending>()
      for (const { runId: owner, clientId, event, voided } of facts.values()) {
        if (owner !== runId || voided) continue
        const { sampleRate, noiseMultiplier, steps } = event
        const key = keyOf(clientId, sampleRate, noiseMultiplier)
        totals.set(key, { clientId, sampleRate, noiseMultiplier, steps: steps + (totals.get(key)?.steps ?? 0) })
      }
      return [...totals.values()]
    },
    async spendingByRound(runId) {
      const totals = new Map<string, RoundSpending>()
      for (const { runId: owner, clientId, round, event, voided } of facts.values()) {
        if (owner !== runId || voided) continue
        const { sampleRate, noiseMultiplier, steps } = event
        const key = keyOf(clientId, round, sampleRate, noiseMultiplier)
        const before = totals.get(key)?.steps ?? 0
        totals.set(key, { clientId, round, sampleRate, noiseMultiplier, steps: steps + before })
      }
      return [...totals.values()].sort((left, right) => left.round - right.round)
    },
    delivered: async (runId, clientId, sinceRound) =>
      [...rounds.values()]
        .filter(({ runId: owner, round }) => owner === runId && round >= sinceRound)
        .filter(({ tasks }) => tasks.some((task) => task.clientId === clientId && task.state === 'delivered'))
        .map(({ round }) => round)
        .sort((left, right) => left - right),
  }
}
