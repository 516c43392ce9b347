import { type FinalRunState, isRunOver } from '@fedsvd/core/protocol'
import type { Logger } from 'pino'
import { type Clock, retryDuringOutage, sleep } from '../platform/index.ts'
import type { EpsilonBounds } from '../privacy/index.ts'
import type { ClientGateway } from '../rounds/index.ts'
import type { RunRecord, Store } from '../storage/records/index.ts'
import type { ActiveRun } from './active-run.ts'
import { offerRun } from './offer-run.ts'

export interface ConnectedClientsOptions {
  readonly store: Store
  readonly gateway: ClientGateway
  readonly bounds: EpsilonBounds
  readonly clock: Clock
  readonly log: Logger
  readonly activeRuns: () => Iterable<ActiveRun>
}

const MOST_ENDED = 100
/** An offer that got no answer, or none that can be read, is made again after so long. */
const OFFER_AGAIN_MS = 30_000

/** Brings connected clients and runs together: offers runs, tells of pauses and ends, and forgets who has left. */
export class ConnectedClients {
  readonly #options: ConnectedClientsOptions
  readonly #connections = new Map<string, AbortSignal>()
  /** Runs being offered to clients, by {@link keyOf}. */
  readonly #offers = new Map<string, Promise<unknown>>()

  constructor(options: ConnectedClientsOptions) {
    this.#options = options
  }

  /** A client has connected, here or to another coordinator; `connection` is aborted when its connection ends. */
  arrived(clientId: string, connection: AbortSignal, where: 'here' | 'elsewhere'): void {
    const { clock, log, activeRuns } = this.#options
    this.#connections.set(clientId, connection)
    connection.addEventListener('abort', () => this.#left(clientId, connection))
    if (where === 'here') {
      retryDuringOutage(() => this.#announceEnded(clientId), clock, connection).catch((error: unknown) => {
        log.warn({ err: error, clientId }, 'telling the client of ended runs failed')
      })
    }
    for (const live of activeRuns()) this.#offer(live, clientId, connection)
  }

  /** A run has been opened: it is offered to every connected client. */
  offer(live: ActiveRun): void {
    for (const [clientId, connection] of this.#connections) this.#offer(live, clientId, connection)
  }

  /**
   * Resolves when the offer of this run to this client is settled: what the client says about the run comes after it.
   */
  async offered(clientId: string, runId: string): Promise<void> {
    await this.#offers.get(keyOf(clientId, runId))
  }

  /** Tells the clients that are there how a run has ended. */
  async announce(runId: string, ending: Pick<RunRecord, 'reason'> & { state: FinalRunState }): Promise<void> {
    const { store, gateway } = this.#options
    const { state, reason } = ending
    const participants = (await store.participants.ofRun(runId)).map(({ clientId }) => clientId)
    for (const clientId of new Set([...participants, ...this.#undecided(runId)])) {
      gateway.runEnded(clientId, { runId, state, ...(reason && { reason }) })
    }
  }

  /** Clients that have not answered the offer of a run. */
  #undecided(runId: string): readonly string[] {
    return [...this.#connections.keys()].filter((clientId) => this.#offers.has(keyOf(clientId, runId)))
  }

  /** Tells the connected clients that a run is paused. */
  async announcePause(runId: string): Promise<void> {
    for (const { clientId } of await this.#options.store.participants.ofRun(runId)) this.#tellPause(clientId, runId)
  }

  /** Not where the run was resumed meanwhile: the word would come after its invitation. */
  #tellPause(clientId: string, runId: string): void {
    for (const live of this.#options.activeRuns()) if (live.runId === runId) return
    this.#options.gateway.runPaused(clientId, { runId })
  }

  /** At a site that is asked before it joins a run an offer is answered when somebody has decided, hours later. */
  async #offerUntilAnswered(live: ActiveRun, clientId: string, connection: AbortSignal): Promise<void> {
    const { bounds, clock } = this.#options
    const signal = AbortSignal.any([connection, live.time.signal])
    while (!signal.aborted) {
      if (await offerRun(live, clientId, bounds, connection)) return
      if (!signal.aborted) await sleep(clock, OFFER_AGAIN_MS, signal)
    }
  }

  #offer(live: ActiveRun, clientId: string, connection: AbortSignal): void {
    const { log } = this.#options
    const { runId } = live
    const key = keyOf(clientId, runId)
    const offering = this.#offerUntilAnswered(live, clientId, connection)
      .catch((error: unknown) => log.error({ err: error, clientId, runId }, 'offering the run to the client failed'))
      .finally(() => {
        if (this.#offers.get(key) === offering) this.#offers.delete(key)
      })
    this.#offers.set(key, offering)
  }

  #left(clientId: string, connection: AbortSignal): void {
    if (this.#connections.get(clientId) !== connection) return
    this.#connections.delete(clientId)
    for (const live of this.#options.activeRuns()) live.participants.leave(clientId)
  }

  /** Tells a client which of its runs have ended or stand still: it may have been away when they did. */
  async #announceEnded(clientId: string): Promise<void> {
    const { store, gateway } = this.#options
    for (const { manifest, state, reason } of await store.participants.endedRuns(clientId, MOST_ENDED)) {
      if (!isRunOver(state)) continue
      gateway.runEnded(clientId, { runId: manifest.runId, state, ...(reason && { reason }) })
    }
    for (const runId of await store.participants.pausedRuns(clientId)) this.#tellPause(clientId, runId)
  }
}

function keyOf(clientId: string, runId: string): string {
  return `${clientId}/${runId}`
}
