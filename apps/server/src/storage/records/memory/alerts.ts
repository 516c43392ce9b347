import type { AlertStore } from '../store.ts'
import type { Tables } from './tables.ts'

export function memoryAlerts({ alerts }: Tables): AlertStore {
  return {
    async add(alert) {
      alerts.push(alert)
    },
    list: async (runId, limit, codes) =>
      alerts.filter((alert) => alert.runId === runId && (codes?.includes(alert.code) ?? true)).slice(-limit),
  }
}
