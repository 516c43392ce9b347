import type { Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { makeFolder } from '@fedsvd/engine/files'
import type { Logger } from 'pino'
import { Server } from 'socket.io'
import { serveControl } from './backup/index.ts'
import {
  type CoordinatorConfig,
  type CoordinatorSettings,
  completeConfig,
  modelSettings,
  type NameOfSetting,
  nameOfVariable,
} from './config.ts'
import { type EvaluatorFactory, holdOutEvaluators } from './evaluation/index.ts'
import {
  accountRoutes,
  auditLogRoutes,
  budgetRoutes,
  cannotListen,
  createApp,
  createListener,
  dashboard,
  guard,
  healthRoutes,
  identityRoutes,
  insightRoutes,
  type Listener,
  limitPerClient,
  operatorRoutes,
  requireFreeAddress,
  servedRoutes,
  sessionRoutes,
  statementRoutes,
  tensorRoutes,
} from './http/index.ts'
import {
  createSessions,
  OperatorSessions,
  type RevokedSession,
  secretFile,
  sharedSessions,
  statementKey,
  uploadTokens,
} from './identity/index.ts'
import { Membership, type MembershipParts } from './membership.ts'
import { type ModelRegistry, modelsOf } from './models/index.ts'
import { objectStoreIdentity } from './object-store-identity.ts'
import { type Clock, systemClock } from './platform/index.ts'
import { epsilonBounds } from './privacy/index.ts'
import { openRefactoriser } from './refactorisation/index.ts'
import { roundSpans } from './rounds/index.ts'
import { RunManager } from './runs/index.ts'
import { SECRETS } from './secrets.ts'
import {
  type ClientNamespace,
  closeRoot,
  OperatorFeed,
  type OperatorNamespace,
  Presence,
  type ServedEvents,
  serveClients,
  servedEvents,
} from './sockets/index.ts'
import { type BlobStore, cachingBlobs, holdingBlobs, openBlobs, startCollector } from './storage/objects/index.ts'
import { openEmbeddedStore } from './storage/records/embedded/index.ts'
import type { Store } from './storage/records/index.ts'
import { tracedStore } from './storage/records/index.ts'
import { openPostgresStore } from './storage/records/postgres/index.ts'
import { createLog, createMetrics, openTracer } from './telemetry/index.ts'

/** What a coordinator is made of besides its settings; each part has a default. */
export interface CoordinatorParts {
  readonly models: ModelRegistry
  readonly evaluatorFor: EvaluatorFactory
  /** Opens the database; closing it is up to the coordinator from then on. */
  readonly openStore: (config: CoordinatorConfig, log: Logger) => Promise<Store>
  /** Opens the store of tensors; what the settings name unless a test says otherwise. */
  readonly openBlobs: (config: CoordinatorConfig) => Promise<BlobStore>
  readonly log: Logger
  readonly clock: Clock
  /** The built dashboard; `apps/dashboard/dist` where it is absent. */
  readonly dashboardFolder: string
  /** What messages call a setting: its variable unless a command that has options says otherwise. */
  readonly nameOf: NameOfSetting
}

export interface Coordinator extends AsyncDisposable {
  /** Where it listens, such as `http://127.0.0.1:7373`. */
  readonly url: string
  readonly operatorToken: string
  /** All that can be reached over the network: what the table of permissions is held against. */
  readonly served: () => { readonly routes: readonly string[] } & ServedEvents
}

/** Who has not entered a namespace by then has no business here. */
const CONNECT_TIMEOUT_MS = 10_000
/** Longest control message; a ledger report of 17,000 reservations fits. Tensors go over HTTP. */
const LONGEST_MESSAGE_BYTES = 4 * 2 ** 20
/** How much of the newest states and updates stays in memory. */
const CACHED_BYTES = 64 * 2 ** 20

/**
 * Starts a coordinator: opens the database, takes up every run that has not ended, and only then listens. Disposing it
 * begins nothing any more, finishes the requests under way, sends clients away to come back, and leaves everything durable.
 *
 * @throws FedsvdError CONFIG_INVALID, PORT_IN_USE, DATABASE_LOCKED, DATABASE_UNAVAILABLE or MIGRATION_FAILED,
 *   and DATA_UNREADABLE or DATA_EMPTY for the hold-out file
 */
export async function startCoordinator(
  settings: CoordinatorSettings,
  given: Partial<CoordinatorParts> = {},
): Promise<Coordinator> {
  const { nameOf = nameOfVariable } = given
  const config = completeConfig(settings, nameOf)
  const log = given.log ?? createLog(config.logLevel)
  const { models = modelsOf(modelSettings(config)), clock = systemClock } = given
  const listener = await createListener(config, (request, response) => app(request, response), nameOf)
  await requireFreeAddress(config, nameOf)
  const evaluatorFor = given.evaluatorFor ?? (await evaluatorsOf(config, models))
  const refactoriser = await openRefactoriser(config)
  makeFolder(config.stateDir)
  const operatorToken =
    config.operatorToken ?? (await secretFile(path.join(config.stateDir, 'operator.token'), SECRETS.operatorToken))
  const uploadSecret =
    config.uploadSecret ?? (await secretFile(path.join(config.stateDir, 'upload.secret'), SECRETS.uploadSecret))
  const statementSecret =
    config.statementKey ?? (await secretFile(path.join(config.stateDir, 'statement.key'), SECRETS.statementKey))
  const key = statementKey(statementSecret)
  const now = (): number => clock.now()
  const graceMs = 1000 * config.collectGraceSeconds
  const blobs = holdingBlobs(cachingBlobs(await (given.openBlobs ?? openBlobs)(config), CACHED_BYTES), { now, graceMs })
  const tracer = await openTracer(config.otlpEndpoint)
  const store = tracedStore(await (given.openStore ?? openStore)(config, log), tracer)
  const { databaseUrl, leaseSeconds } = config
  const others =
    databaseUrl === undefined
      ? undefined
      : await joinOthers(store, {
          databaseUrl,
          stateDir: config.stateDir,
          store,
          clock,
          log,
          leaseMs: leaseSeconds * 1000,
          shared: [operatorToken, uploadSecret, statementSecret, await objectStoreIdentity(config)],
        })

  const metrics = createMetrics()
  const bounds = epsilonBounds()
  const tokens = uploadTokens(Buffer.from(uploadSecret))
  const sessions =
    others === undefined
      ? createSessions(store.clients, now)
      : sharedSessions({
          clients: store.clients,
          cluster: store.cluster,
          isHere: (clientId, connectionId) => presence.isHere(clientId, connectionId),
          secret: uploadSecret,
          now,
        })
  const cutOperators = (ended: RevokedSession): void => {
    feed.cut(ended)
    others?.cluster.cutOperators(ended)
  }
  const operatorSessions = new OperatorSessions({ store, operatorToken, now, onEnd: cutOperators })
  const presence = new Presence(log, others?.elsewhere)
  const { http } = listener
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
  const feed: OperatorFeed = new OperatorFeed(operators, {
    sessions: operatorSessions,
    runManager: () => runManager,
    clock,
    log,
  })
  const runManager: RunManager = new RunManager({
    store,
    blobs,
    gateway: presence,
    tokens,
    clock,
    log,
    metrics,
    bounds,
    refactoriser,
    evaluatorFor,
    models,
    gatherMs: config.gatherSeconds * 1000,
    isConnected: (clientId) => presence.isConnected(clientId),
    ...(others && { ownership: others.cluster }),
    onChange: (runId) => {
      feed.changed(runId)
      others?.cluster.changed(runId)
    },
    onRoundChange: roundSpans(tracer),
  })
  const clients = io.of('/client') as unknown as ClientNamespace
  serveClients(clients, {
    sessions,
    clients: store.clients,
    presence,
    runManager,
    log,
    limitReports: limitPerClient(config.reportsPerMinute, 'ledger reports'),
    onCount: (count) => metrics.clients.set(count),
    onSeen: (clientId, version) => {
      store.clients.seen(clientId, now(), version).catch((error: unknown) => {
        log.warn({ err: error, clientId }, 'it was not noted when a client was seen')
      })
    },
    registry: others?.cluster,
  })

  const { keepUpdates, collectSeconds } = config
  const collector = startCollector({
    blobs,
    referenced: (names) => store.references.referenced(names, { keepUpdates }),
    clock,
    log,
    metrics,
    graceMs,
    everyMs: 1000 * collectSeconds,
  })
  const control =
    store.dump &&
    (await serveControl({ stateDir: config.stateDir, dump: store.dump, holdObjects: () => collector.hold(), log }))
  let draining = false
  const { requestsPerMinute, refusalsPerMinute, refusedSignInsPerMinute, transfersPerMinute } = config
  const routers = [
    healthRoutes({ store, blobs, metrics, isDraining: () => draining }),
    identityRoutes({
      store,
      sessions,
      now,
      requestsPerMinute,
      onNamesake: (clientId, refusal) => runManager.alertAbout(clientId, refusal),
    }),
    tensorRoutes({
      blobs,
      sessions,
      isHere: (clientId) => presence.isHere(clientId),
      tokens,
      runManager,
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
      isConnected: (clientId) => presence.isConnected(clientId),
      cutOperator: (operatorId) => cutOperators({ operatorId }),
      cutClient: (clientId) => {
        presence.cut(clientId)
        others?.cluster.cutClient(clientId)
      },
    }),
    operatorRoutes({ store, models, blobs, runManager, now }),
    budgetRoutes({
      clients: store.clients,
      now,
      quarantine: (runId, clientId, by) => runManager.quarantine(runId, clientId, by),
      onCap: () => runManager.capsChanged(),
    }),
    insightRoutes({
      store,
      isConnected: (clientId) => presence.isConnected(clientId),
      capIn: (runId, clientId, terms) => runManager.capIn(runId, clientId, terms),
    }),
    statementRoutes({ store, runManager, bounds, key, now }),
    auditLogRoutes(store.audit),
  ]
  const app = createApp({
    guard: guard({ sessions: operatorSessions, store, refusalsPerMinute }),
    routers,
    dashboard: dashboard(given.dashboardFolder),
    log,
    metrics,
    trustedProxies: config.trustedProxies,
  })

  const close = async (): Promise<void> => {
    if (draining) return
    draining = true
    await control?.[Symbol.asyncDispose]()
    const drained = runManager.drain()
    if (others !== undefined) {
      // Others drive on while this one still answers what it has been asked.
      await runManager[Symbol.asyncDispose]()
      await others.cluster.leave()
    }
    await closeServer(io, http, config.graceSeconds * 1000)
    await drained
    await collector[Symbol.asyncDispose]()
    await runManager[Symbol.asyncDispose]()
    await refactoriser[Symbol.asyncDispose]()
    await others?.[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    await tracer[Symbol.asyncDispose]()
    log.info('coordinator stopped')
  }
  try {
    await others?.start({ clients, runManager, presence, feed })
    await runManager.resume()
    const url = await listen(listener, config, nameOf)
    log.info({ url }, 'coordinator listens')
    const served = () => ({ routes: servedRoutes(app), ...servedEvents(io) })
    return { url, operatorToken, served, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
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

async function evaluatorsOf(config: CoordinatorConfig, models: ModelRegistry): Promise<EvaluatorFactory> {
  const { holdOut: paths, holdOutReading: reading } = config
  if (paths === undefined) return async () => undefined
  return await holdOutEvaluators({ paths, reading, models, runtime: config })
}

function openStore({ databaseUrl, stateDir }: CoordinatorConfig, log: Logger): Promise<Store> {
  if (databaseUrl !== undefined) return openPostgresStore(databaseUrl)
  return openEmbeddedStore(path.join(stateDir, 'database'), (error) =>
    log.fatal({ err: error }, 'the embedded database has died'),
  )
}

function listen({ http, scheme }: Listener, { host, port }: CoordinatorConfig, nameOf: NameOfSetting): Promise<string> {
  return new Promise((resolve, reject) => {
    http.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(error, { host, port }, nameOf)))
    http.listen(port, host, () => {
      const { port: taken } = http.address() as AddressInfo
      resolve(`${scheme}://${host.includes(':') ? `[${host}]` : host}:${taken}`)
    })
  })
}

/**
 * Takes no more requests, finishes those under way, and cuts what is left after the grace period. Sockets close as if the
 * network had gone (`transport close`): a client that sees that comes back by itself.
 */
async function closeServer(io: Server, http: HttpServer, graceMs: number): Promise<void> {
  const timer = setTimeout(() => http.closeAllConnections(), graceMs)
  http.closeIdleConnections()
  await io.close()
  clearTimeout(timer)
}
