import { randomUUID } from 'node:crypto'
import type { LedgerReply, LedgerReport, RoundFailed } from '@fedsvd/core/protocol'
import type { Logger } from 'pino'
import type { RevokedSession } from '../identity/index.ts'
import type { Clock } from '../platform/index.ts'
import type { ConnectionRecord, Store } from '../storage/records/index.ts'
import { Channel, type Envelope } from './channel.ts'
import { Directory } from './directory.ts'
import { Leases } from './leases.ts'
import { type Delivery, noOwner, type RunOwnership } from './run-ownership.ts'
import { checkShared } from './shared.ts'

/** What a coordinator does for the others. */
export interface PeerHandlers {
  /** Takes a run up if nobody else has. */
  acquire(runId: string): Promise<void>
  /** Stops driving a run that another coordinator has, or that has ended. */
  relinquish(runId: string): void
  deliver(delivery: Delivery): Promise<void>
  report(clientId: string, report: LedgerReport): Promise<LedgerReply>
  failed(clientId: string, failure: RoundFailed): Promise<void>
  /** A client is connected to another coordinator from now on, until the signal is aborted. */
  arrived(clientId: string, connection: AbortSignal): void
  /** Puts a question to a client that is connected here; undefined when it is not, or does not answer. */
  ask(clientId: string, connectionId: string, event: 'offer' | 'invite', message: unknown): Promise<unknown>
  /** True when another process of this identity than `instance` is connected here, and answers. */
  isTaken(clientId: string, instance: string): Promise<boolean>
  /** The connections that this coordinator has. */
  connections(): readonly Omit<ConnectionRecord, 'coordinatorId'>[]
  /** Ends the connection of a client. */
  cut(clientId: string): void
  cutOperators(ended: RevokedSession): void
  /** Something that a snapshot shows has changed at another coordinator. */
  changed(runId: string): void
}

export interface ClusterOptions {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
  /** Fingerprint of what coordinators have to share. */
  readonly shared: string
  /** How long a run waits for its driver before another may take it over. */
  readonly leaseMs: number
  /** Sends to all other coordinators. */
  readonly send: (envelope: Envelope) => void
  readonly peer: PeerHandlers
}

const CALL_TIMEOUT_MS = 10_000
const ASK_TIMEOUT_MS = 600_000
/** No more often than this do others hear that one run has changed. */
const LEAST_INTERVAL_MS = 100
/** Leases are renewed this often in their lifetime. */
const BEATS = 3
/** A coordinator that has been dead for so many lifetimes is forgotten. */
const FORGOTTEN_AFTER = 10

/**
 * One of the coordinators on a database. The database is the truth: who is alive, who drives which run, and who is
 * connected where. Messages only make it known sooner; one that is lost costs the time to the next beat.
 */
export class Cluster implements RunOwnership, AsyncDisposable {
  readonly id = randomUUID()
  readonly store: Store
  readonly channel: Channel
  readonly #options: ClusterOptions
  readonly #leases: Leases
  readonly #directory: Directory
  readonly #dirty = new Set<string>()
  /** Clients that have connected here since the connections were last read. */
  readonly #fresh = new Set<string>()
  #others = new Set<string>()
  #heartbeating: Promise<void> | undefined
  #again = false
  #ended = false
  #cancel = (): void => {}
  #heartbeats = 0

  constructor(options: ClusterOptions) {
    const { store, clock, send, peer, leaseMs } = options
    this.#options = options
    this.#leases = new Leases(store.leases, this.id, leaseMs)
    this.store = store.fencedBy(this.#leases.of)
    this.#directory = new Directory((clientId, connection) => {
      peer.cut(clientId)
      peer.arrived(clientId, connection)
    })
    this.channel = new Channel({
      id: this.id,
      clock,
      send,
      onTell: (name, body, from) => {
        this.#others.add(from)
        this.#told(name, body)
      },
      onCall: (name, body) => this.#called(name, body),
    })
  }

  /** Joins the others. @throws FedsvdError CONFIG_INVALID when they have other secrets or another object store */
  async join(): Promise<void> {
    const { store, shared, leaseMs } = this.#options
    checkShared(shared, await store.coordinators.list())
    await store.coordinators.heartbeat({ id: this.id, shared }, leaseMs)
  }

  /** From now on it renews its leases, and takes up runs that nobody drives. */
  start(): void {
    this.channel.tell('joined', null)
    void this.#heartbeat()
  }

  take = async (runId: string): Promise<boolean> => !this.#ended && (await this.#leases.take(runId))

  release = async (runId: string): Promise<void> => {
    await this.#leases.release(runId)
    this.channel.tell('free', null)
  }

  ended = (runId: string): void => this.channel.tell('ended', runId)

  deliver = async (delivery: Delivery): Promise<void> => {
    await this.#callDriver(delivery.runId, 'deliver', delivery)
  }

  report = async (clientId: string, report: LedgerReport): Promise<LedgerReply> =>
    (await this.#callDriver(report.runId, 'report', { clientId, report })) as LedgerReply

  failed = async (clientId: string, failure: RoundFailed): Promise<void> => {
    await this.#callDriver(failure.runId, 'failed', { clientId, failure })
  }

  isConnectedElsewhere(clientId: string): boolean {
    return this.#directory.has(clientId)
  }

  /** Puts a question to a client, wherever it is connected; undefined when it is away, goes away, or stays silent. */
  async ask(clientId: string, event: 'offer' | 'invite', message: unknown): Promise<unknown> {
    const found = this.#directory.find(clientId)
    if (found === undefined) return undefined
    const { connection, signal } = found
    const { clock } = this.#options
    const over = new AbortController()
    const giveUp = (): void => over.abort()
    const cancel = clock.at(clock.now() + ASK_TIMEOUT_MS, giveUp)
    signal.addEventListener('abort', giveUp)
    try {
      const body = { ...connection, event, message }
      return await this.channel.call(connection.coordinatorId, 'ask', body, over.signal)
    } catch {
      return undefined
    } finally {
      cancel()
      signal.removeEventListener('abort', giveUp)
    }
  }

  /** True when another process of this identity than `instance` is connected to another coordinator, and answers. */
  async isTaken(clientId: string, instance: string): Promise<boolean> {
    const found = this.#directory.find(clientId)
    if (found === undefined) return false
    const { coordinatorId } = found.connection
    try {
      return (await this.channel.call(coordinatorId, 'taken', { clientId, instance }, found.signal)) === true
    } catch {
      return false // that coordinator, or the connection, is gone
    }
  }

  /** A client has connected here: it is nowhere else any more. */
  async entered(clientId: string, connectionId: string): Promise<void> {
    const { store, shared, leaseMs } = this.#options
    const connection = { clientId, connectionId, coordinatorId: this.id }
    this.#fresh.add(clientId)
    if (!(await store.connections.connect(connection))) {
      await store.coordinators.heartbeat({ id: this.id, shared }, leaseMs)
      await store.connections.connect(connection)
    }
    this.#directory.left(clientId)
    this.channel.tell('arrived', connection)
  }

  async exited(clientId: string, connectionId: string): Promise<void> {
    if (this.#ended) return // all of its connections are forgotten
    this.channel.tell('left', { clientId, connectionId })
    await this.#options.store.connections.disconnect([connectionId])
  }

  cutClient(clientId: string): void {
    this.channel.tell('cut', clientId)
  }

  cutOperators(ended: RevokedSession): void {
    this.channel.tell('cut-operators', ended)
  }

  /** Something that a snapshot of this run shows has changed here. */
  changed(runId: string): void {
    if (this.#others.size === 0) return
    const { clock } = this.#options
    if (this.#dirty.has(runId)) return
    this.#dirty.add(runId)
    clock.at(clock.now() + LEAST_INTERVAL_MS, () => {
      this.#dirty.delete(runId)
      if (!this.#ended) this.channel.tell('changed', runId)
    })
  }

  /** Acquires no run any more; those that it owns must have been released before. */
  async leave(): Promise<void> {
    this.#ended = true
    this.#cancel()
    await this.#heartbeating
    await this.#options.store.coordinators.leave(this.id).catch((error: unknown) => {
      this.#options.log.warn({ err: error }, 'releasing the leases at shutdown failed; they expire by themselves')
    })
    this.channel.tell('free', null)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.leave()
    this.channel[Symbol.dispose]()
  }

  #told(name: string, body: unknown): void {
    const { peer } = this.#options
    if (name === 'arrived') this.#directory.arrived(body as ConnectionRecord)
    else if (name === 'left') {
      const { clientId, connectionId } = body as ConnectionRecord
      this.#directory.left(clientId, connectionId)
    } else if (name === 'changed') peer.changed(body as string)
    else if (name === 'ended') {
      peer.relinquish(body as string)
      peer.changed(body as string)
    } else if (name === 'cut') peer.cut(body as string)
    else if (name === 'cut-operators') peer.cutOperators(body as RevokedSession)
    else if (name === 'free') void this.#heartbeat()
  }

  async #called(name: string, body: unknown): Promise<unknown> {
    const { peer } = this.#options
    if (name === 'ask') {
      const { clientId, connectionId, event, message } = body as ConnectionRecord & {
        readonly event: 'offer' | 'invite'
        readonly message: unknown
      }
      return await peer.ask(clientId, connectionId, event, message)
    }
    if (name === 'taken') {
      const { clientId, instance } = body as { readonly clientId: string; readonly instance: string }
      return await peer.isTaken(clientId, instance)
    }
    if (name === 'deliver') return await peer.deliver(body as Delivery)
    if (name === 'report') {
      const { clientId, report } = body as { readonly clientId: string; readonly report: LedgerReport }
      return await peer.report(clientId, report)
    }
    if (name === 'failed') {
      const { clientId, failure } = body as { readonly clientId: string; readonly failure: RoundFailed }
      return await peer.failed(clientId, failure)
    }
    throw new TypeError(`another coordinator asks for ${name}`)
  }

  async #callDriver(runId: string, name: string, body: unknown): Promise<unknown> {
    const driver = await this.#options.store.leases.ownerOf(runId)
    if (driver === undefined || driver === this.id) throw noOwner()
    return await this.channel.call(driver, name, body, AbortSignal.timeout(CALL_TIMEOUT_MS))
  }

  /** One beat at a time; one that is asked for meanwhile follows. */
  async #heartbeat(): Promise<void> {
    this.#again = true
    if (this.#heartbeating !== undefined || this.#ended) return
    this.#cancel()
    const { clock, log, leaseMs } = this.#options
    const next = clock.now() + leaseMs / BEATS
    this.#heartbeating = (async () => {
      while (this.#again && !this.#ended) {
        this.#again = false
        await this.#tick().catch((error: unknown) => log.warn({ err: error }, 'a heartbeat of the coordinator failed'))
      }
    })()
    await this.#heartbeating
    this.#heartbeating = undefined
    if (!this.#ended) this.#cancel = clock.at(next, () => void this.#heartbeat())
  }

  async #tick(): Promise<void> {
    const { store, shared, leaseMs, peer, log } = this.#options
    const wasKnown = await store.coordinators.heartbeat({ id: this.id, shared }, leaseMs)
    const { lost, idle } = await this.#leases.renew()
    for (const runId of lost) peer.relinquish(runId)
    for (const runId of [...idle, ...(await store.leases.withoutOwner())]) {
      // Not awaited: leases are to be renewed while runs are being read.
      peer.acquire(runId).catch((error: unknown) => log.error({ err: error, runId }, 'acquiring the run failed'))
    }
    for (const clientId of await store.clients.revokedAmong(peer.connections().map(({ clientId }) => clientId)))
      peer.cut(clientId)
    this.#others = new Set((await store.coordinators.list()).map(({ id }) => id).filter((id) => id !== this.id))
    await this.#compareConnections(wasKnown)
    this.#heartbeats += 1
    if (this.#heartbeats % (BEATS * FORGOTTEN_AFTER) === 1) await store.coordinators.sweep(FORGOTTEN_AFTER * leaseMs)
  }

  /**
   * Mends what the database and this coordinator hold of each other's connections: messages and writes may have been
   * lost.
   */
  async #compareConnections(wasKnown: boolean): Promise<void> {
    if (wasKnown && this.#others.size === 0 && this.#heartbeats % BEATS !== 0) return
    const { store, peer } = this.#options
    this.#fresh.clear()
    const held = (await store.connections.list()).filter(({ clientId }) => !this.#fresh.has(clientId))
    const here = peer.connections()
    const own = new Set(here.map(({ connectionId }) => connectionId))
    const stored = new Set(held.map(({ connectionId }) => connectionId))
    const stale = held.filter(({ coordinatorId, connectionId }) => coordinatorId === this.id && !own.has(connectionId))
    if (stale.length > 0) await store.connections.disconnect(stale.map(({ connectionId }) => connectionId))
    const missing = here.filter(({ clientId, connectionId }) => !stored.has(connectionId) && !this.#fresh.has(clientId))
    const elsewhere = held.filter(({ coordinatorId }) => coordinatorId !== this.id)
    const away = new Set(elsewhere.map(({ clientId }) => clientId))
    const restored = missing.filter(({ clientId }) => !away.has(clientId))
    if (restored.length > 0) {
      await store.connections.restore(restored.map((connection) => ({ ...connection, coordinatorId: this.id })))
    }
    this.#directory.replace(elsewhere)
  }
}
