import type { RunStore } from '../../../../../apps/server/src/storage/records/store.ts'
import { appendAudit } from './audit.ts'
import type { Fence } from './cluster.ts'
import { byClient, keyOf, type Tables } from './tables.ts'

export function memoryRuns(tables: Tables, fence: Fence): RunStore {
  const { runs, adapters, participants, plans, rounds } = tables
  const adaptersOf = (runId: string) => [...adapters.values()].filter((adapter) => adapter.runId === runId)
  return {
    async create(run, initial, audit) {
      runs.set(run.manifest.runId, run)
      adapters.set(keyOf(initial.runId, initial.number), initial)
      appendAudit(tables, audit)
    },
    find: async (runId) => runs.get(runId),
    list: async () => [...runs.values()].sort((left, right) => right.createdAt - left.createdAt),
    async move(runId, from, change, audit) {
      fence(runId)
      const run = runs.get(runId)
      if (run === undefined || !from.includes(run.state)) return false
      runs.set(runId, { ...run, ...change })
      appendAudit(tables, audit)
      return true
    },
    plans: async (runId) => plans.get(runId) ?? [],
    async addPlan(plan, audit) {
      const { runId, version } = plan
      const known = plans.get(runId) ?? []
      const begun = [...rounds.values()].filter((round) => round.runId === runId).length
      const isOpen = runs.get(runId)?.endedAt === undefined
      if (version !== known.length + 1 || !isOpen || plan.rounds < begun) return false
      plans.set(runId, [...known, plan])
      appendAudit(tables, audit)
      return true
    },
    async setBaseline(runId, baseline) {
      const run = runs.get(runId)
      if (run !== undefined) runs.set(runId, { ...run, baseline })
    },
    async join(participant) {
      const key = keyOf(participant.runId, participant.clientId)
      const known = participants.get(key) ?? participant
      participants.set(key, known)
      return known
    },
    async setWithdrawal(runId, clientId, code) {
      fence(runId)
      const key = keyOf(runId, clientId)
      const participant = participants.get(key)
      if (participant === undefined) return
      const { withdrawal: _, ...present } = participant
      participants.set(key, code === undefined ? present : { ...present, withdrawal: code })
    },
    participants: async (runId) =>
      [...participants.values()].filter((participant) => participant.runId === runId).sort(byClient),
    adapter: async (runId, number) => adapters.get(keyOf(runId, number)),
    newestAdapter: async (runId) =>
      adaptersOf(runId)
        .filter(({ publishedAt }) => publishedAt !== undefined)
        .sort((left, right) => right.number - left.number)[0],
    participationsOf: async (clientId) =>
      [...participants.values()].filter((participant) => participant.clientId === clientId),
    endedOf: async (clientId, limit) =>
      [...runs.values()]
        .filter(({ manifest, endedAt }) => endedAt !== undefined && participants.has(keyOf(manifest.runId, clientId)))
        .sort((left, right) => right.endedAt! - left.endedAt!)
        .slice(0, limit),
    pausedOf: async (clientId) =>
      [...runs.values()]
        .filter(({ manifest, state }) => state === 'paused' && participants.has(keyOf(manifest.runId, clientId)))
        .map(({ manifest }) => manifest.runId),
    mayRead: async (clientId, sha256) =>
      [...adapters.values()].some(
        (adapter) =>
          adapter.sha256 === sha256 &&
          adapter.publishedAt !== undefined &&
          participants.has(keyOf(adapter.runId, clientId)),
      ),
  }
}
