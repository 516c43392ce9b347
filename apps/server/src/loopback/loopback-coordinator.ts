import { randomBytes } from 'node:crypto'
import { isRunOver, type RunManifest, type RunRequest, type RunSnapshot } from '@fedsvd/core/protocol'
import type { Logger } from 'pino'
import { composeRuns, composeSecurity, composeStorage } from '../composition/index.ts'
import { type CoordinatorSettings, completeConfig } from '../config.ts'
import type { EvaluatorFactory } from '../evaluation/index.ts'
import { createEvents } from '../events.ts'
import { createEnrolmentTokens, TOKEN_HOLDER } from '../identity/index.ts'
import type { ModelRegistry } from '../models/index.ts'
import { systemClock } from '../platform/index.ts'
import { openRefactoriser } from '../refactorisation/index.ts'
import { deliveredTasks } from '../rounds/index.ts'
import { createPresence } from '../sockets/index.ts'
import { memoryBlobs } from '../storage/objects/index.ts'
import { createMemoryStore } from '../storage/records/memory/index.ts'
import { createLog, createMetrics, noTracer } from '../telemetry/index.ts'
import { type LoopbackPort, loopbackPort } from './loopback-port.ts'

/** What a coordinator for clients in its own process is made of. */
export interface LoopbackParts {
  readonly models: ModelRegistry
  readonly evaluatorFor: EvaluatorFactory
  readonly log?: Logger
  /** The identifier of the next client that enrols; random where it is absent. */
  readonly nextId?: () => string
}

/** A coordinator that can be reached from its own process alone, and leaves nothing behind. */
export interface LoopbackCoordinator extends AsyncDisposable {
  readonly port: LoopbackPort
  enrolmentTokens(count: number): Promise<readonly string[]>
  createRun(request: RunRequest): Promise<RunManifest>
  /** The run once it has ended, however it did. @throws FedsvdError RUN_NOT_FOUND */
  ended(runId: string): Promise<RunSnapshot>
}

/**
 * Starts a coordinator whose clients live in the same process: the rooms of `startCoordinator` without sockets, HTTP
 * and files. Its rows and tensors are in memory, and the updates of a round are forgotten when it is published.
 */
export async function startLoopbackCoordinator(
  settings: CoordinatorSettings,
  { models, evaluatorFor, log: given, nextId }: LoopbackParts,
): Promise<LoopbackCoordinator> {
  const config = completeConfig(settings)
  const clock = systemClock
  const log = given ?? createLog(config.logLevel)
  const base = { config, clock, log, metrics: createMetrics(), tracer: noTracer, events: createEvents() }
  const { events } = base
  const secret = (): string => randomBytes(32).toString('base64url')
  const secrets = { operatorToken: secret(), upload: secret(), statement: secret() }
  const storage = await composeStorage(base, secrets, {
    openStore: async () => createMemoryStore(),
    openBlobs: async () => memoryBlobs(),
  })
  const { store, blobs } = storage
  const presence = createPresence(log)
  const security = composeSecurity(base, storage, secrets, presence)
  const refactoriser = await openRefactoriser(config)
  const { runs, views } = composeRuns(base, storage, security, presence, { models, evaluatorFor, refactoriser })
  const now = (): number => clock.now()
  events.on('round.changed', ({ before, after }) => {
    if (after.phase !== 'published' || before?.phase === 'published') return
    for (const { update } of deliveredTasks(after)) void blobs.remove(update.sha256)
  })
  await runs.registry.resume()
  return {
    port: loopbackPort({ store, blobs, ...security, presence, runs, log, now, nextId }),
    enrolmentTokens: async (count) =>
      await createEnrolmentTokens(store.clients, { count, expiresInSeconds: 3600 }, { by: TOKEN_HOLDER, now: now() }),
    createRun: async (request) => await runs.commands.create(request, TOKEN_HOLDER),
    ended: async (runId) => {
      for (;;) {
        const changed = new Promise<void>((resolve) => {
          const look = (id: string): void => {
            if (id !== runId) return
            events.off('run.changed', look)
            resolve()
          }
          events.on('run.changed', look)
        })
        if (isRunOver((await runs.registry.find(runId)).state)) return await views.snapshot(runId)
        await changed
      }
    },
    async [Symbol.asyncDispose]() {
      await runs.registry.drain()
      await runs[Symbol.asyncDispose]()
      await refactoriser[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
}
