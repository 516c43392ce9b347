import type { ErrorCode } from '@fedsvd/core/errors'
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import type { Alert, AlertStore } from '../storage/records/index.ts'
import type { Metrics } from '../telemetry/index.ts'

export interface AlertDeskOptions {
  readonly store: AlertStore
  readonly log: Logger
  readonly metrics: Metrics
  readonly now: () => number
}

/**
 * Alerts of one client and kind in a run that are stored, and of one client in all: it could fill the database
 * otherwise.
 */
export const MOST_OF_A_KIND = 20
export const MOST_OF_A_CLIENT = 100
/**
 * The coordinator's own of one kind and run. A client that is silent in each round makes it raise one for each missed
 * deadline, and those leave room for its other faults.
 */
export const MOST_OWN_OF_A_KIND = 1000
const LONGEST_MESSAGE = 2000
/** Runs whose alerts are remembered at a time; those of others are read again from the database. */
const MOST_RUNS = 200
const MOST_READ = 10_000
/** Alerts of a run that operators see at a time. */
const MOST_SHOWN = 100
/** Of which those are chosen that are not serious. */
const MOST_LOOKED_AT = 2000

/** Never left out because of how much else a client has to complain about. */
const SERIOUS: ReadonlySet<string> = new Set<ErrorCode>([
  'LEDGER_MISMATCH',
  'NOISE_INVALID',
  'NORM_EXCEEDED',
  'TERMS_CHANGED',
])

/** The alerts of all runs of this coordinator, those that another one owns included. */
export class AlertDesk {
  readonly #runs = new LRUCache<string, RunAlerts>({ max: MOST_RUNS })
  readonly #options: AlertDeskOptions

  constructor(options: AlertDeskOptions) {
    this.#options = options
  }

  of(runId: string): RunAlerts {
    const known = this.#runs.get(runId) ?? new RunAlerts(runId, this.#options)
    this.#runs.set(runId, known)
    return known
  }
}

/**
 * Raises each alert of a run once, and a bounded number about each client and of each kind: no client can crowd out
 * what is said of others, of the coordinator, or of its own ledger. What is stored counts, so that a restart begins
 * nothing anew.
 */
export class RunAlerts {
  readonly #runId: string
  readonly #options: AlertDeskOptions
  readonly #raised = new Set<string>()
  /** How many alerts are stored, by client and kind, by client, and by kind of the coordinator's own. */
  readonly #counts = new Map<string, number>()
  #loading: Promise<void> | undefined

  constructor(runId: string, options: AlertDeskOptions) {
    this.#runId = runId
    this.#options = options
  }

  /** True when the alert is new and has been stored. */
  async raise(code: ErrorCode, text: string, clientId?: string): Promise<boolean> {
    const { store, log, metrics, now } = this.#options
    await this.#load()
    const message = text.slice(0, LONGEST_MESSAGE)
    const alert = { runId: this.#runId, code, message, at: now(), ...(clientId !== undefined && { clientId }) }
    if (this.#raised.has(keyOf(alert)) || !this.#hasRoom(alert)) return false
    this.#note(alert)
    // What a client says is for operators to read, and is stored; logs go further.
    log.warn({ runId: this.#runId, clientId, code }, clientId === undefined ? message : 'alert about a client')
    metrics.alerts.inc({ code })
    try {
      await store.add(alert)
    } catch (error) {
      this.#forget(alert)
      throw error
    }
    return true
  }

  async #load(): Promise<void> {
    this.#loading ??= this.#options.store.list(this.#runId, MOST_READ).then((stored) => {
      for (const alert of stored) this.#note(alert)
    })
    try {
      await this.#loading
    } catch (error) {
      this.#loading = undefined
      throw error
    }
  }

  #hasRoom({ clientId, code }: Pick<Alert, 'clientId' | 'code'>): boolean {
    if (clientId === undefined) return this.#countOf(code) < MOST_OWN_OF_A_KIND
    if (this.#countOf(`${clientId}/${code}`) >= MOST_OF_A_KIND) return false
    return SERIOUS.has(code) || this.#countOf(clientId) < MOST_OF_A_CLIENT
  }

  #note(alert: Alert): void {
    this.#raised.add(keyOf(alert))
    for (const key of countersOf(alert)) this.#counts.set(key, this.#countOf(key) + 1)
  }

  #forget(alert: Alert): void {
    this.#raised.delete(keyOf(alert))
    for (const key of countersOf(alert)) this.#counts.set(key, this.#countOf(key) - 1)
  }

  #countOf(key: string): number {
    return this.#counts.get(key) ?? 0
  }
}

const keyOf = ({ code, clientId, message }: Alert): string => JSON.stringify([code, clientId, message])

function countersOf({ clientId, code }: Alert): readonly string[] {
  if (clientId === undefined) return [code]
  return SERIOUS.has(code) ? [`${clientId}/${code}`] : [`${clientId}/${code}`, clientId]
}

/**
 * The alerts of a run that there is a use for, oldest first: its newest serious ones, and the newest others. However
 * many others have come since, no serious one is missing because of them.
 */
export async function readAlerts(store: Pick<AlertStore, 'list'>, runId: string): Promise<readonly Alert[]> {
  const [serious, newest] = await Promise.all([
    store.list(runId, MOST_SHOWN, [...SERIOUS]),
    store.list(runId, MOST_LOOKED_AT),
  ])
  const others = newest.filter(({ code }) => !SERIOUS.has(code))
  return [...serious, ...others].sort((left, right) => left.at - right.at)
}

/**
 * Of the alerts of a run, oldest first, the `most` that operators see: the serious ones before all others, however many
 * there are of the coordinator's own, then those, then the rest; the newest of each.
 */
export function shownAlerts(alerts: readonly Alert[], most = MOST_SHOWN): readonly Alert[] {
  const rankOf = ({ clientId, code }: Alert): number => (SERIOUS.has(code) ? 0 : clientId === undefined ? 1 : 2)
  const ranked = alerts.toReversed().sort((left, right) => rankOf(left) - rankOf(right))
  const shown = new Set(ranked.slice(0, most))
  return alerts.filter((alert) => shown.has(alert))
}
