import type { Server as HttpServer } from 'node:http'
import { type Namespace, Server } from 'socket.io'
import { limitPerClient } from '../http/index.ts'
import {
  type ClientNamespace,
  closeRoot,
  limitBytes,
  OperatorFeed,
  type OperatorNamespace,
  type Presence,
  serveClients,
} from '../sockets/index.ts'
import type { BaseServices } from './base-services.ts'
import type { RunsAndViews } from './runs.ts'
import type { Security } from './security.ts'
import type { Storage } from './storage.ts'

/** A connection that has entered no namespace by then is closed. */
const CONNECT_TIMEOUT_MS = 10_000
/** Longest control message; a ledger report of 17,000 reservations fits. Tensors go over HTTP. */
const LONGEST_MESSAGE_BYTES = 4 * 2 ** 20

export interface Sockets {
  readonly io: Server
  readonly clients: ClientNamespace
  readonly feed: OperatorFeed
}

/** Both namespaces of Socket.IO: clients take part in runs, operators watch them. */
export function composeSockets(
  { config, clock, log, metrics, events }: BaseServices,
  { store, others }: Storage,
  { sessions, operatorSessions }: Security,
  presence: Presence,
  { runs, views }: RunsAndViews,
  http: HttpServer,
): Sockets {
  const io = new Server(http, {
    maxHttpBufferSize: LONGEST_MESSAGE_BYTES,
    // A side that has heard nothing for an interval and a timeout gives the connection up.
    pingInterval: config.detectionSeconds * 500,
    pingTimeout: config.detectionSeconds * 500,
    perMessageDeflate: false,
    connectTimeout: CONNECT_TIMEOUT_MS,
    serveClient: false,
    ...(others && { adapter: others.adapter }),
  })
  closeRoot(io)
  const operators = io.of('/operator') as unknown as OperatorNamespace
  const feed = new OperatorFeed(operators, { sessions: operatorSessions, views, clock, log })
  const clients = io.of('/client') as unknown as ClientNamespace
  limitBytes(io, clients as unknown as Namespace, log)
  serveClients(clients, {
    sessions,
    clients: store.clients,
    presence,
    runs,
    log,
    limitReports: limitPerClient(config.reportsPerMinute, 'ledger reports'),
    onCount: (count) => metrics.clients.set(count),
    onSeen: (clientId, version) => {
      store.clients.seen(clientId, clock.now(), version).catch((error: unknown) => {
        log.warn({ err: error, clientId }, 'storing when a client was last seen failed')
      })
    },
    registry: others?.cluster.clients,
  })
  events.on('run.changed', (runId) => feed.changed(runId))
  events.on('run.changed', (runId) => others?.cluster.changed(runId))
  events.on('session.ended', (ended) => feed.cut(ended))
  events.on('session.ended', (ended) => others?.cluster.cutOperators(ended))
  return { io, clients, feed }
}
