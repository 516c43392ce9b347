import { randomUUID } from 'node:crypto'
import type { LedgerReply, LedgerReport, RoundFailed } from '@fedsvd/core/protocol'
import type { Logger } from 'pino'
import type { RevokedSession } from '../identity/index.ts'
import type { Clock } from '../platform/index.ts'
import type { ConnectionRecord, Store } from '../storage/records/index.ts'
import { Channel, type Envelope } from './channel.ts'
import { Leases } from './leases.ts'
import { type LocalClients, RemoteClients } from './remote-clients.ts'
import type { Delivery, RunOwnership } from './run-ownership.ts'
import { checkShared } from './shared.ts'
import { SharedOwnership } from './shared-ownership.ts'

/** What a coordinator does for the others. */
export interface PeerHandlers extends LocalClients {
  /** Acquires a run unless another coordinator has. */
  acquire(runId: string): Promise<void>
  /** Relinquishes a run that another coordinator owns, or that has ended. */
  relinquish(runId: string): void
  deliver(delivery: Delivery): Promise<void>
  report(clientId: string, report: LedgerReport): Promise<LedgerReply>
  failed(clientId: string, failure: RoundFailed): Promise<void>
  /** Puts a question to a client that is connected here; undefined when it is not, or does not answer. */
  ask(clientId: string, connectionId: string, event: 'offer' | 'invite', message: unknown): Promise<unknown>
  /** True when another process of this identity than `instance` is connected here, and answers. */
  isTaken(clientId: string, instance: string): Promise<boolean>
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
  /** How long a run waits for its owner before another may take it over. */
  readonly leaseMs: number
  /** Sends to all other coordinators. */
  readonly send: (envelope: Envelope) => void
  readonly peer: PeerHandlers
}

/** No more often than this do others hear that one run has changed. */
const LEAST_INTERVAL_MS = 100
/** Leases are renewed this often in their lifetime. */
const BEATS = 3
/** A coordinator that has been dead for so many lifetimes is forgotten. */
const FORGOTTEN_AFTER = 10

/**
 * One of the coordinators on a database. The database is the truth: who is alive, who owns which run, and who is
 * connected where. Messages only make it known sooner; one that is lost costs the time to the next heartbeat.
 */
export class Cluster implements AsyncDisposable {
  readonly id = randomUUID()
  readonly ownership: RunOwnership
  readonly clients: RemoteClients
  readonly #channel: Channel
  readonly #options: ClusterOptions
  readonly #leases: Leases
  readonly #dirty = new Set<string>()
  #others = new Set<string>()
  #heartbeating: Promise<void> | undefined
  #again = false
  #ended = false
  #cancel = (): void => {}
  #heartbeats = 0

  constructor(options: ClusterOptions) {
    const { store, clock, send, peer, leaseMs } = options
    const { id } = this
    this.#options = options
    this.#leases = new Leases(store.leases, id, leaseMs)
    const channel = new Channel({
      id,
      clock,
      send,
      onTell: (name, body, from) => {
        this.#others.add(from)
        this.#told(name, body)
      },
      onCall: (name, body) => this.#called(name, body),
    })
    this.#channel = channel
    const isLeaving = (): boolean => this.#ended
    this.ownership = new SharedOwnership({ id, store, leases: this.#leases, channel, isLeaving })
    this.clients = new RemoteClients({
      id,
      connections: store.connections,
      clock,
      channel,
      local: peer,
      heartbeat: () => this.#writeHeartbeat(),
      isLeaving,
    })
  }

  /** Joins the others. @throws FedsvdError CONFIG_INVALID when they have other secrets or another object store */
  async join(): Promise<void> {
    const { store, shared } = this.#options
    checkShared(shared, await store.coordinators.list())
    await this.#writeHeartbeat()
  }

  /** A message of another coordinator. */
  receive(envelope: Envelope): void {
    this.#channel.receive(envelope)
  }

  /** From now on it renews its leases, and acquires runs without an owner. */
  start(): void {
    this.#channel.tell('joined', null)
    void this.#heartbeat()
  }

  /** Has the other coordinators end the connection of a client. */
  cutClient(clientId: string): void {
    this.#channel.tell('cut', clientId)
  }

  /** Has the other coordinators end the sessions of an operator. */
  cutOperators(ended: RevokedSession): void {
    this.#channel.tell('cut-operators', ended)
  }

  /** Something that a snapshot of this run shows has changed here. */
  changed(runId: string): void {
    if (this.#others.size === 0) return
    const { clock } = this.#options
    if (this.#dirty.has(runId)) return
    this.#dirty.add(runId)
    clock.at(clock.now() + LEAST_INTERVAL_MS, () => {
      this.#dirty.delete(runId)
      if (!this.#ended) this.#channel.tell('changed', runId)
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
    this.#channel.tell('free', null)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.leave()
    this.#channel[Symbol.dispose]()
  }

  #told(name: string, body: unknown): void {
    const { peer } = this.#options
    if (name === 'arrived') this.clients.arrivedElsewhere(body as ConnectionRecord)
    else if (name === 'left') this.clients.leftElsewhere(body as ConnectionRecord)
    else if (name === 'changed') peer.changed(body as string)
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

  /** False when this coordinator was not known, or no more. */
  #writeHeartbeat(): Promise<boolean> {
    const { store, shared, leaseMs } = this.#options
    return store.coordinators.heartbeat({ id: this.id, shared }, leaseMs)
  }

  /** One heartbeat at a time; one that is asked for meanwhile follows. */
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
    const { store, leaseMs, peer, log } = this.#options
    const wasKnown = await this.#writeHeartbeat()
    const { lost, idle } = await this.#leases.renew()
    for (const runId of lost) peer.relinquish(runId)
    for (const runId of [...idle, ...(await store.leases.withoutOwner())]) {
      // Not awaited: leases are to be renewed while runs are being read.
      peer.acquire(runId).catch((error: unknown) => log.error({ err: error, runId }, 'acquiring the run failed'))
    }
    for (const clientId of await store.clients.revokedAmong(peer.connections().map(({ clientId }) => clientId)))
      peer.cut(clientId)
    this.#others = new Set((await store.coordinators.list()).map(({ id }) => id).filter((id) => id !== this.id))
    const isDue = this.#heartbeats % BEATS === 0
    if (!wasKnown || this.#others.size > 0 || isDue) await this.clients.reconcile()
    this.#heartbeats += 1
    if (this.#heartbeats % (BEATS * FORGOTTEN_AFTER) === 1) await store.coordinators.sweep(FORGOTTEN_AFTER * leaseMs)
  }
}
