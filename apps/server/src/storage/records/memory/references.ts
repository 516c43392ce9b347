import type { ReferenceStore } from '../store.ts'
import type { Tables } from './tables.ts'

export function memoryReferences({ adapters, rounds, runs }: Tables): ReferenceStore {
  return {
    async referenced(names, { keepUpdates }) {
      const states = [...adapters.values()].flatMap(({ sha256, retiredAt }) => (retiredAt === undefined ? sha256 : []))
      const open = [...rounds.values()].filter(
        ({ phase, runId }) => keepUpdates || (phase !== 'published' && runs.get(runId)?.endedAt === undefined),
      )
      const updates = open.flatMap(({ tasks }) => tasks.flatMap(({ update }) => update?.sha256 ?? []))
      const late = open.flatMap((round) => (round.late ?? []).map(({ sha256 }) => sha256))
      const all = new Set([...states, ...updates, ...late])
      return new Set(names.filter((name) => all.has(name)))
    },
  }
}
