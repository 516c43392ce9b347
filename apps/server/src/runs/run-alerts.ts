import type { ErrorCode } from '@fedsvd/core/errors'
import type { Logger } from 'pino'
import type { AlertStore } from '../store/index.ts'
import type { Metrics } from '../telemetry/index.ts'

export interface RunAlertsOptions {
  readonly runId: string
  readonly store: AlertStore
  readonly log: Logger
  readonly metrics: Metrics
  readonly now: () => number
}

/** Beyond these a client that keeps complaining would only fill the database. */
const MOST_ALERTS = 1000
const LONGEST_MESSAGE = 2000

/** Raises each alert of a run once in the life of the process, and a bounded number of them. */
export class RunAlerts {
  readonly #raised = new Set<string>()
  readonly #options: RunAlertsOptions

  constructor(options: RunAlertsOptions) {
    this.#options = options
  }

  /** True when the alert is new and has been stored. */
  async raise(code: ErrorCode, text: string, clientId?: string): Promise<boolean> {
    const { runId, store, log, metrics, now } = this.#options
    const message = text.slice(0, LONGEST_MESSAGE)
    const key = JSON.stringify([code, clientId, message])
    if (this.#raised.has(key) || this.#raised.size >= MOST_ALERTS) return false
    this.#raised.add(key)
    // What a client says is for operators to read, and is stored; logs go further.
    log.warn({ runId, clientId, code }, clientId === undefined ? message : 'alert about a client')
    metrics.alerts.inc({ code })
    try {
      await store.add({ runId, code, message, at: now(), ...(clientId && { clientId }) })
    } catch (error) {
      this.#raised.delete(key)
      throw error
    }
    return true
  }
}
