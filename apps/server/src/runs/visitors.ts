import type { Logger } from 'pino'
import type { EpsilonBounds } from '../privacy/index.ts'
import { type ClientGateway, type Clock, despiteOutages } from '../rounds/index.ts'
import type { RunRecord, Store } from '../store/index.ts'
import type { LiveRun } from './live-run.ts'
import { welcome } from './welcome.ts'

export interface VisitorsOptions {
  readonly store: Store
  readonly gateway: ClientGateway
  readonly bounds: EpsilonBounds
  readonly clock: Clock
  readonly log: Logger
  readonly liveRuns: () => Iterable<LiveRun>
}

const MOST_ENDED = 100

/** Brings connected clients and runs together: offers runs, tells of pauses and ends, and forgets who has left. */
export class Visitors {
  readonly #options: VisitorsOptions
  readonly #connections = new Map<string, AbortSignal>()
  /** Runs being offered to clients, by {@link keyOf}. */
  readonly #welcomes = new Map<string, Promise<unknown>>()

  constructor(options: VisitorsOptions) {
    this.#options = options
  }

  /** A client has connected, here or to another coordinator; `connection` is aborted when its connection ends. */
  arrived(clientId: string, connection: AbortSignal, where: 'here' | 'elsewhere'): void {
    const { clock, log, liveRuns } = this.#options
    this.#connections.set(clientId, connection)
    connection.addEventListener('abort', () => this.#left(clientId, connection))
    if (where === 'here') {
      despiteOutages(() => this.#announceEnded(clientId), clock, connection).catch((error: unknown) => {
        log.warn({ err: error, clientId }, 'ended runs were not announced')
      })
    }
    for (const live of liveRuns()) this.#welcome(live, clientId, connection)
  }

  /** A run has been opened: whoever is connected gets its offer. */
  offer(live: LiveRun): void {
    for (const [clientId, connection] of this.#connections) this.#welcome(live, clientId, connection)
  }

  /** Resolves when the offer of this run to this client is settled: what the client says about the run comes after it. */
  async welcomed(clientId: string, runId: string): Promise<void> {
    await this.#welcomes.get(keyOf(clientId, runId))
  }

  /** Tells the clients that are there how a run has ended. */
  async announce(
    runId: string,
    ending: Pick<RunRecord, 'reason'> & { state: 'completed' | 'stopped' | 'failed' },
  ): Promise<void> {
    const { store, gateway } = this.#options
    const { state, reason } = ending
    for (const { clientId } of await store.runs.participants(runId)) {
      gateway.runEnded(clientId, { runId, state, ...(reason && { reason }) })
    }
  }

  /** Tells the clients that are there that a run stands still. */
  async announcePause(runId: string): Promise<void> {
    for (const { clientId } of await this.#options.store.runs.participants(runId)) this.#tellPause(clientId, runId)
  }

  /** Not where the run was resumed meanwhile: the word would come after its invitation. */
  #tellPause(clientId: string, runId: string): void {
    for (const live of this.#options.liveRuns()) if (live.manifest.runId === runId) return
    this.#options.gateway.runPaused(clientId, { runId })
  }

  #welcome(live: LiveRun, clientId: string, connection: AbortSignal): void {
    const { bounds, log } = this.#options
    const { runId } = live.manifest
    const key = keyOf(clientId, runId)
    const welcomed = welcome(live, clientId, bounds, connection)
      .catch((error: unknown) => log.error({ err: error, clientId, runId }, 'a client was not welcomed'))
      .finally(() => {
        if (this.#welcomes.get(key) === welcomed) this.#welcomes.delete(key)
      })
    this.#welcomes.set(key, welcomed)
  }

  #left(clientId: string, connection: AbortSignal): void {
    if (this.#connections.get(clientId) !== connection) return
    this.#connections.delete(clientId)
    for (const live of this.#options.liveRuns()) live.leave(clientId)
  }

  /** Tells a client which of its runs have ended or stand still: it may have been away when they did. */
  async #announceEnded(clientId: string): Promise<void> {
    const { store, gateway } = this.#options
    for (const { manifest, state, reason } of await store.runs.endedOf(clientId, MOST_ENDED)) {
      if (state === 'waiting' || state === 'running' || state === 'paused') continue
      gateway.runEnded(clientId, { runId: manifest.runId, state, ...(reason && { reason }) })
    }
    for (const runId of await store.runs.pausedOf(clientId)) this.#tellPause(clientId, runId)
  }
}

function keyOf(clientId: string, runId: string): string {
  return `${clientId}/${runId}`
}
