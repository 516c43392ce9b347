import type { RunStore } from '../store.ts'
import { appendAudit } from './audit.ts'
import type { Fence } from './fence.ts'
import { keyOf, type Tables } from './tables.ts'

export function memoryRuns(tables: Tables, fence: Fence): RunStore {
  const { runs, adapters, plans, rounds } = tables
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
  }
}
