import type { ParticipantStore } from '../store.ts'
import type { Fence } from './fence.ts'
import { byClient, keyOf, type Tables } from './tables.ts'

export function memoryParticipants({ runs, participants }: Tables, fence: Fence): ParticipantStore {
  return {
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
    ofRun: async (runId) =>
      [...participants.values()].filter((participant) => participant.runId === runId).sort(byClient),
    ofClient: async (clientId) => [...participants.values()].filter((participant) => participant.clientId === clientId),
    endedRuns: async (clientId, limit) =>
      [...runs.values()]
        .filter(({ manifest, endedAt }) => endedAt !== undefined && participants.has(keyOf(manifest.runId, clientId)))
        .sort((left, right) => right.endedAt! - left.endedAt!)
        .slice(0, limit),
    pausedRuns: async (clientId) =>
      [...runs.values()]
        .filter(({ manifest, state }) => state === 'paused' && participants.has(keyOf(manifest.runId, clientId)))
        .map(({ manifest }) => manifest.runId),
  }
}
