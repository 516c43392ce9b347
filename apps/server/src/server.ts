import type { Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import { loadExtensions } from '@fedsvd/engine/extensions'
import { exposure, requireOwnFolder } from '@fedsvd/engine/files'
import { ENVIRONMENT } from '@fedsvd/engine/settings'
import type { Logger } from 'pino'
import type { Server } from 'socket.io'
import { serveControl } from './backup/index.ts'
import {
  type BaseServices,
  composeHttp,
  composeRuns,
  composeSecurity,
  composeSignOn,
  composeSockets,
  composeStorage,
  composeTrackers,
  type OpenBlobs,
  type OpenStore,
  openSecrets,
} from './composition/index.ts'
import {
  type CoordinatorConfig,
  type CoordinatorSettings,
  completeConfig,
  modelSettings,
  type NameOfSetting,
  nameOfVariable,
} from './config.ts'
import { type EvaluatorFactory, holdOutEvaluators } from './evaluation/index.ts'
import { createEvents } from './events.ts'
import { cannotListen, createListener, type Listener, requireFreeAddress, servedRoutes } from './http/index.ts'
import { type ModelRegistry, modelsOf } from './models/index.ts'
import { type Clock, systemClock } from './platform/index.ts'
import { openRefactoriser, type Refactoriser } from './refactorisation/index.ts'
import { roundSpans } from './rounds/index.ts'
import { retireStates } from './runs/index.ts'
import { createPresence, type ServedEvents, servedEvents } from './sockets/index.ts'
import { startCollector } from './storage/objects/index.ts'
import { createLog, createMetrics, openTracer } from './telemetry/index.ts'

const EXPOSED =
  'others on this machine have rights to the state folder, which holds the operator token and the signing key: chmod 700'

/** What a coordinator is made of besides its settings; each part has a default. */
export interface CoordinatorParts {
  readonly models: ModelRegistry
  readonly evaluatorFor: EvaluatorFactory
  /** Makes states; what the settings name unless a test says otherwise. */
  readonly refactoriser: Refactoriser
  /** Opens the database; closing it is up to the coordinator from then on. */
  readonly openStore: OpenStore
  /** Opens the store of tensors; what the settings name unless a test says otherwise. */
  readonly openBlobs: OpenBlobs
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

/**
 * Starts a coordinator: opens the database, acquires every run that has not ended, and only then listens. Disposing it
 * begins nothing any more, finishes the requests under way, sends clients away to come back, and leaves everything
 * durable.
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
  await loadExtensions(config.extension)
  const { models = modelsOf(modelSettings(config)), clock = systemClock, log = createLog(config.logLevel) } = given
  const listener = await createListener(config, nameOf)
  await requireFreeAddress(config, nameOf)
  const evaluatorFor = given.evaluatorFor ?? (await evaluatorsOf(config, models))
  const refactoriser = given.refactoriser ?? (await openRefactoriser(config))
  requireOwnFolder(config.stateDir, 'coordinator')
  const secrets = await openSecrets(config)
  const signOn = await composeSignOn(config, { secret: secrets.upload, now: () => clock.now(), nameOf })
  const rights = exposure(config.stateDir)
  if (rights !== undefined) log.warn({ stateDir: config.stateDir, rights }, EXPOSED)
  const tracer = await openTracer(config.otlpEndpoint)
  const base: BaseServices = { config, clock, log, metrics: createMetrics(), tracer, events: createEvents() }
  base.events.on('round.changed', roundSpans(tracer))

  const storage = await composeStorage(base, secrets, given).catch((error: unknown) => {
    throw asTyped(error, nameOf('databaseUrl'))
  })
  const { store, blobs, others } = storage
  if (config.blobs?.startsWith('s3://')) {
    // Not waited for: a store that is away for a moment keeps no coordinator from its start.
    void blobs.check().catch((error: unknown) => log.error({ err: error }, 'writing to the object store failed'))
  }
  const presence = createPresence(log, others?.elsewhere)
  const security = composeSecurity(base, storage, secrets, presence)
  const rooms = composeRuns(base, storage, security, presence, { models, evaluatorFor, refactoriser })
  const { runs } = rooms
  const trackers = await composeTrackers(base, storage, rooms)
  const { keepUpdates, collectSeconds, collectGraceSeconds } = config
  const collector = startCollector({
    blobs,
    before: () => retireStates(store, clock.now()),
    referenced: (names) => store.references.referenced(names, { keepUpdates }),
    clock,
    log,
    metrics: base.metrics,
    graceMs: 1000 * collectGraceSeconds,
    everyMs: 1000 * collectSeconds,
  })
  const control =
    store.dump &&
    (await serveControl({ stateDir: config.stateDir, dump: store.dump, holdObjects: () => collector.hold(), log }))
  let draining = false
  const { http } = listener
  const app = composeHttp(base, storage, security, presence, rooms, {
    models,
    statement: secrets.statement,
    dashboardFolder: given.dashboardFolder,
    signOn,
    isDraining: () => draining,
  })
  http.on('request', app) // before Socket.IO is attached, which passes on the requests that are not its own
  const { io, clients, feed } = composeSockets(base, storage, security, presence, rooms, http)

  const close = async (): Promise<void> => {
    if (draining) return
    draining = true
    await control?.[Symbol.asyncDispose]()
    const graceMs = config.graceSeconds * 1000
    const drained = endOfSteps(graceMs, runs.registry.drain(), refactoriser)
    if (others !== undefined) {
      // Others go on with the runs while this one still answers what it has been asked.
      await drained
      await runs[Symbol.asyncDispose]()
      await others.cluster.leave()
    }
    await closeServer(io, http, graceMs)
    await drained
    await collector[Symbol.asyncDispose]()
    await runs[Symbol.asyncDispose]()
    await trackers[Symbol.asyncDispose]()
    await others?.[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    await tracer[Symbol.asyncDispose]()
    log.info('coordinator stopped')
  }
  try {
    await others?.start({ clients, runs, presence, feed })
    await runs.registry.resume()
    await trackers.start()
    const url = await listen(listener, config, nameOf)
    log.info({ url }, 'coordinator listening')
    const served = () => ({ routes: servedRoutes(app), ...servedEvents(io) })
    return { url, operatorToken: secrets.operatorToken, served, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

/** What the database says of DATABASE_URL, in the name by which the address was given. */
function asTyped(error: unknown, name: string): unknown {
  if (!isFedsvdError(error) || name === ENVIRONMENT.databaseUrl) return error
  const { expected, got, remedy } = error.detail
  const named = (text: string): string => text.replaceAll(ENVIRONMENT.databaseUrl, name)
  return new FedsvdError(error.code, { expected, got: named(got), remedy: named(remedy) }, { cause: error })
}

async function evaluatorsOf(config: CoordinatorConfig, models: ModelRegistry): Promise<EvaluatorFactory> {
  const { holdOut: paths, holdOutReading: reading } = config
  if (paths === undefined) return async () => undefined
  return await holdOutEvaluators({ paths, reading, models, runtime: config })
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
 * Waits for the runs to stand still. A re-factorisation that is not over after the grace period is cut, since a device
 * may never end it; the next process makes the round again.
 */
async function endOfSteps(graceMs: number, drained: Promise<void>, refactoriser: Refactoriser): Promise<void> {
  const timer = setTimeout(() => void refactoriser[Symbol.asyncDispose](), graceMs)
  try {
    await drained
  } finally {
    clearTimeout(timer)
    await refactoriser[Symbol.asyncDispose]()
  }
}

/**
 * Takes no more requests, finishes those under way, and cuts what is left after the grace period. Sockets close as if
 * the network had gone (`transport close`): a client that sees that comes back by itself.
 */
async function closeServer(io: Server, http: HttpServer, graceMs: number): Promise<void> {
  const timer = setTimeout(() => http.closeAllConnections(), graceMs)
  http.closeIdleConnections()
  await io.close()
  clearTimeout(timer)
}
