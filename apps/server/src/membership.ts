import { createAdapter } from '@socket.io/postgres-adapter'
import type { Logger } from 'pino'
import type { ServerOptions } from 'socket.io'
import type { RevokedSession } from './identity/index.ts'
import {
  Cluster,
  type Envelope,
  fingerprintOf,
  Notifications,
  type PeerHandlers,
  releaseStaleInstance,
} from './ownership/index.ts'
import type { Clock } from './platform/index.ts'
import type { Runs } from './runs/index.ts'
import type { ClientNamespace, OperatorFeed, Presence, RemoteCoordinators } from './sockets/index.ts'
import type { Store } from './storage/records/index.ts'

/** PostgreSQL takes notifications of fewer than 8000 bytes; the adapter would try with 8000. */
const LONGEST_NOTIFICATION_BYTES = 7500

/** One channel of PostgreSQL for each namespace, with this before its name. */
const CHANNELS = 'fedsvd'

export interface MembershipParts {
  readonly databaseUrl: string
  readonly stateDir: string
  readonly store: Store
  /** The operator token, the upload secret, and the identity of the object store. */
  readonly shared: readonly string[]
  readonly leaseMs: number
  readonly clock: Clock
  readonly log: Logger
}

/** What a coordinator consists of, once it is there. */
export interface CoordinatorServices {
  readonly clients: ClientNamespace
  readonly runs: Runs
  readonly presence: Presence
  readonly feed: OperatorFeed
}

/** A coordinator's place among those on its database: joined before its services are made, and active once they are. */
export class Membership implements AsyncDisposable {
  readonly cluster: Cluster
  readonly #notifications: Notifications
  readonly #log: Logger
  #instanceLock: Disposable | undefined
  #services: CoordinatorServices | undefined

  private constructor({ databaseUrl, store, shared, leaseMs, clock, log }: MembershipParts) {
    this.#log = log
    this.#notifications = new Notifications(databaseUrl)
    const send = (envelope: Envelope): void => {
      this.#services?.clients.serverSideEmit('cluster', JSON.stringify(envelope))
    }
    this.cluster = new Cluster({
      store,
      clock,
      log,
      shared: fingerprintOf(...shared),
      leaseMs,
      send,
      peer: this.#peerHandlers,
    })
  }

  /** @throws FedsvdError CONFIG_INVALID when the others have other secrets or another object store */
  static async join(parts: MembershipParts): Promise<Membership> {
    const membership = new Membership(parts)
    try {
      membership.#instanceLock = await releaseStaleInstance(
        parts.stateDir,
        membership.cluster.id,
        parts.store.coordinators,
      )
      await membership.cluster.join()
      return membership
    } catch (error) {
      await membership[Symbol.asyncDispose]()
      throw error
    }
  }

  /** How Socket.IO reaches the rooms of the other coordinators. */
  get adapter(): NonNullable<ServerOptions['adapter']> {
    const errorHandler = (error: Error): void =>
      this.#log.warn({ err: error }, 'sending a message to other coordinators failed')
    const options = { channelPrefix: CHANNELS, payloadThreshold: LONGEST_NOTIFICATION_BYTES, errorHandler }
    return createAdapter(this.#notifications.pool, options) as unknown as NonNullable<ServerOptions['adapter']>
  }

  /** The clients of the other coordinators. */
  get elsewhere(): RemoteCoordinators {
    const remote = this.cluster.clients
    return {
      isConnected: (clientId) => remote.isConnected(clientId),
      isTaken: (clientId, instance) => remote.isTaken(clientId, instance),
      ask: (clientId, event, message) => remote.ask(clientId, event, message),
      tell: (clientId, { event, message }) => {
        if (!remote.isConnected(clientId)) return
        const room = this.#services?.clients.to(clientId)
        if (event === 'round-closed') room?.emit(event, message)
        else if (event === 'run-paused') room?.emit(event, message)
        else room?.emit(event, message)
      },
    }
  }

  /** From now on the others are heard, leases are renewed, and runs without an owner are acquired. */
  async start(services: CoordinatorServices): Promise<void> {
    this.#services = services
    await this.#notifications.listensTo(`${CHANNELS}#${services.clients.name}`)
    services.clients.on('cluster', (text) => this.cluster.receive(JSON.parse(text) as Envelope))
    this.cluster.start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]()
    await this.#notifications[Symbol.asyncDispose]()
    this.#instanceLock?.[Symbol.dispose]()
  }

  get #peerHandlers(): PeerHandlers {
    const services = (): CoordinatorServices => this.#services!
    return {
      acquire: (runId) => services().runs.registry.acquire(runId),
      relinquish: (runId) => services().runs.registry.relinquish(runId),
      deliver: (delivery) => services().runs.intake.deliver(delivery),
      failed: (clientId, failure) => services().runs.reports.roundFailed(clientId, failure, 'forwarded'),
      report: (clientId, report) => services().runs.reports.ledger(clientId, report, 'forwarded'),
      arrived: (clientId, connection) => services().runs.connectedClients.arrived(clientId, connection, 'elsewhere'),
      ask: (clientId, connectionId, event, message) =>
        services().presence.local.ask(clientId, event, message, connectionId),
      isTaken: (clientId, instance) => services().presence.local.isTaken(clientId, instance),
      connections: () => services().presence.local.list(),
      cut: (clientId) => services().presence.local.cut(clientId),
      cutOperators: (ended: RevokedSession) => services().feed.cut(ended),
      changed: (runId) => services().feed.changed(runId),
    }
  }
}
