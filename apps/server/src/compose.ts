import type { Server as HttpServer } from 'node:http'
import path from 'node:path'
import { makeFolder } from '@fedsvd/engine/files'
import type { Express } from 'express'
import type { Logger } from 'pino'
import { type Namespace, Server } from 'socket.io'
import type { CoordinatorConfig } from './config.ts'
import type { EvaluatorFactory } from './evaluation/index.ts'
import type { CoordinatorEvents } from './events.ts'
import {
  accountRoutes,
  auditLogRoutes,
  budgetRoutes,
  createApp,
  dashboard,
  guard,
  healthRoutes,
  identityRoutes,
  insightRoutes,
  limitPerClient,
  operatorRoutes,
  sessionRoutes,
  statementRoutes,
  tensorRoutes,
} from './http/index.ts'
import {
  createSessions,
  OperatorSessions,
  type Sessions,
  secretFile,
  sharedSessions,
  statementKey,
  type UploadTokens,
  uploadTokens,
} from './identity/index.ts'
import { Membership, type MembershipParts } from './membership.ts'
import type { ModelRegistry } from './models/index.ts'
import { objectStoreIdentity } from './object-store-identity.ts'
import type { Clock } from './platform/index.ts'
import { type EpsilonBounds, epsilonBounds } from './privacy/index.ts'
import type { Refactoriser } from './refactorisation/index.ts'
import { createRuns, type Runs } from './runs/index.ts'
import { SECRETS, type SecretLength } from './secrets.ts'
import {
  type ClientNamespace,
  closeRoot,
  limitBytes,
  OperatorFeed,
  type OperatorNamespace,
  type Presence,
  serveClients,
} from './sockets/index.ts'
import { type BlobStore, cachingBlobs, type HeldBlobs, holdingBlobs, openBlobs } from './storage/objects/index.ts'
import { openEmbeddedStore } from './storage/records/embedded/index.ts'
import { type Store, tracedStore } from './storage/records/index.ts'
import { openPostgresStore } from './storage/records/postgres/index.ts'
import type { Metrics, Tracer } from './telemetry/index.ts'
import { RunViews } from './views/index.ts'

/** Who has not entered a namespace by then has no business here. */
const CONNECT_TIMEOUT_MS = 10_000
/** Longest control message; a ledger report of 17,000 reservations fits. Tensors go over HTTP. */
const LONGEST_MESSAGE_BYTES = 4 * 2 ** 20
/** How much of the newest states and updates stays in memory. */
const CACHED_BYTES = 64 * 2 ** 20

/** What every room stands on. */
export interface Ground {
  readonly config: CoordinatorConfig
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  readonly tracer: Tracer
  readonly events: CoordinatorEvents
}

export type OpenStore = (config: CoordinatorConfig, log: Logger) => Promise<Store>
export type OpenBlobs = (config: CoordinatorConfig) => Promise<BlobStore>

export interface Secrets {
  readonly operatorToken: string
  readonly upload: string
  readonly statement: string
}

/** The secrets of a coordinator: those that are set, or those in its state folder, made when it first starts. */
export async function openSecrets(config: CoordinatorConfig): Promise<Secrets> {
  makeFolder(config.stateDir)
  const file = (name: string, length: SecretLength) => secretFile(path.join(config.stateDir, name), length)
  return {
    operatorToken: config.operatorToken ?? (await file('operator.token', SECRETS.operatorToken)),
    upload: config.uploadSecret ?? (await file('upload.secret', SECRETS.uploadSecret)),
    statement: config.statementKey ?? (await file('statement.key', SECRETS.statementKey)),
  }
}

export interface Storage {
  readonly store: Store
  readonly blobs: HeldBlobs
  /** The other coordinators on the database, where it is one that can be shared. */
  readonly others: Membership | undefined
}

/** Opens the database and the store of tensors, and joins the other coordinators on them. */
export async function composeStorage(
  { config, clock, log, tracer }: Ground,
  { operatorToken, upload, statement }: Secrets,
  given: { readonly openStore?: OpenStore | undefined; readonly openBlobs?: OpenBlobs | undefined },
): Promise<Storage> {
  const graceMs = 1000 * config.collectGraceSeconds
  const opened = await (given.openBlobs ?? openBlobs)(config)
  const blobs = holdingBlobs(cachingBlobs(opened, CACHED_BYTES), { now: () => clock.now(), graceMs })
  const store = tracedStore(await (given.openStore ?? openStore)(config, log), tracer)
  const { databaseUrl, stateDir, leaseSeconds } = config
  if (databaseUrl === undefined) return { store, blobs, others: undefined }
  const shared = [operatorToken, upload, statement, await objectStoreIdentity(config)]
  const parts = { databaseUrl, stateDir, store, clock, log, leaseMs: leaseSeconds * 1000, shared }
  return { store, blobs, others: await joinOthers(store, parts) }
}

export interface Security {
  readonly sessions: Sessions
  readonly operatorSessions: OperatorSessions
  readonly tokens: UploadTokens
}

/** Who clients and operators are, and what they may send. */
export function composeSecurity(
  { clock, events }: Ground,
  { store, others }: Storage,
  secrets: Secrets,
  presence: Presence,
): Security {
  const now = (): number => clock.now()
  return {
    sessions:
      others === undefined
        ? createSessions(store.clients, now)
        : sharedSessions({
            clients: store.clients,
            nonces: store.nonces,
            connections: store.connections,
            isHere: (clientId, connectionId) => presence.local.isVouched(clientId, connectionId),
            secret: secrets.upload,
            now,
          }),
    operatorSessions: new OperatorSessions({
      store,
      operatorToken: secrets.operatorToken,
      now,
      onEnd: (ended) => events.emit('session.ended', ended),
    }),
    tokens: uploadTokens(Buffer.from(secrets.upload)),
  }
}

export interface RunsAndViews {
  readonly runs: Runs
  readonly views: RunViews
  readonly bounds: EpsilonBounds
}

/** What runs need beside the ground, the storage and the security of the coordinator. */
export interface Training {
  readonly models: ModelRegistry
  readonly evaluatorFor: EvaluatorFactory
  readonly refactoriser: Refactoriser
}

/** The runs, and what people see of them. */
export function composeRuns(
  { config, clock, log, metrics, events }: Ground,
  { store, blobs, others }: Storage,
  { tokens }: Security,
  presence: Presence,
  training: Training,
): RunsAndViews {
  const bounds = epsilonBounds()
  const runs = createRuns({
    ...training,
    store,
    blobs,
    gateway: presence.messenger,
    tokens,
    clock,
    log,
    metrics,
    bounds,
    events,
    gatherMs: config.gatherSeconds * 1000,
    ...(others && { ownership: others.cluster.ownership }),
  })
  return {
    runs,
    bounds,
    views: new RunViews({ store, bounds, isConnected: (id) => presence.messenger.isConnected(id), runs }),
  }
}

export interface Sockets {
  readonly io: Server
  readonly clients: ClientNamespace
  readonly feed: OperatorFeed
}

/** Both namespaces of Socket.IO: clients take part in runs, operators watch them. */
export function composeSockets(
  { config, clock, log, metrics, events }: Ground,
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

/** The routes, behind the guard that knows who asks. */
export function composeHttp(
  { config, clock, log, metrics, tracer, events }: Ground,
  { store, blobs, others }: Storage,
  { sessions, operatorSessions, tokens }: Security,
  presence: Presence,
  { runs, views, bounds }: RunsAndViews,
  {
    models,
    statement,
    dashboardFolder,
    isDraining,
  }: {
    readonly models: ModelRegistry
    readonly statement: string
    readonly dashboardFolder: string | undefined
    readonly isDraining: () => boolean
  },
): Express {
  const now = (): number => clock.now()
  const isConnected = (clientId: string): boolean => presence.messenger.isConnected(clientId)
  const { commands, intake, reports } = runs
  const { requestsPerMinute, refusalsPerMinute, refusedSignInsPerMinute, transfersPerMinute } = config
  const routers = [
    healthRoutes({ store, blobs, metrics, isDraining }),
    identityRoutes({
      store,
      sessions,
      now,
      requestsPerMinute,
      onNamesake: (clientId, refusal) => reports.alertAbout(clientId, refusal),
    }),
    tensorRoutes({
      blobs,
      sessions,
      isHere: (clientId) => presence.local.isVouched(clientId),
      tokens,
      intake,
      metrics,
      log,
      tracer,
      refusalsPerMinute,
      transfersPerMinute,
    }),
    sessionRoutes({ sessions: operatorSessions, refusedSignInsPerMinute }),
    accountRoutes({
      store,
      now,
      isConnected,
      cutOperator: (operatorId) => events.emit('session.ended', { operatorId }),
      cutClient: (clientId) => {
        presence.local.cut(clientId)
        others?.cluster.cutClient(clientId)
      },
    }),
    operatorRoutes({ store, models, blobs, commands, views, now }),
    budgetRoutes({
      clients: store.clients,
      now,
      quarantine: (runId, clientId, by) => commands.quarantine(runId, clientId, by),
      onCap: () => commands.capsChanged(),
    }),
    insightRoutes({ store, isConnected, capIn: (runId, clientId, terms) => views.capIn(runId, clientId, terms) }),
    statementRoutes({ store, views, bounds, key: statementKey(statement), now }),
    auditLogRoutes(store.audit),
  ]
  return createApp({
    guard: guard({ sessions: operatorSessions, store, refusalsPerMinute }),
    routers,
    dashboard: dashboard(dashboardFolder),
    log,
    metrics,
    trustedProxies: config.trustedProxies,
  })
}

/** Closes the store where the others do not want this coordinator. */
async function joinOthers(store: Store, parts: MembershipParts): Promise<Membership> {
  try {
    return await Membership.join(parts)
  } catch (error) {
    await store[Symbol.asyncDispose]()
    throw error
  }
}

function openStore({ databaseUrl, stateDir }: CoordinatorConfig, log: Logger): Promise<Store> {
  if (databaseUrl !== undefined) return openPostgresStore(databaseUrl)
  return openEmbeddedStore(path.join(stateDir, 'database'), (error) =>
    log.fatal({ err: error }, 'the embedded database stopped unexpectedly'),
  )
}
