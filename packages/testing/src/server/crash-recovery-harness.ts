import { generateKeyPairSync } from 'node:crypto'
import { isFedsvdError } from '@fedsvd/core/errors'
import {
  acceptsStaleUpdates,
  type Invitation,
  type InvitationReply,
  type RunRequest,
  type RunSnapshot,
} from '@fedsvd/core/protocol'
import { osRandomness } from '@fedsvd/engine/crypto'
import { TOKEN_HOLDER, uploadTokens } from '@fedsvd/server/identity'
import type { Clock } from '@fedsvd/server/platform'
import { epsilonBounds } from '@fedsvd/server/privacy'
import type { ClientGateway } from '@fedsvd/server/rounds'
import { createRuns, type Runs } from '@fedsvd/server/runs'
import type { RoundProgress, Store } from '@fedsvd/server/storage/records'
import { createMemoryStore } from '@fedsvd/server/storage/records/memory'
import { createMetrics } from '@fedsvd/server/telemetry'
import { RunViews } from '@fedsvd/server/views'
import { pino } from 'pino'
import { createEvents } from '../../../../apps/server/src/events.ts'
import { FakeClient } from './fake-client.ts'
import { KillableProcess } from './killable-store.ts'
import { memoryBlobs } from './memory-blobs.ts'
import { tinyModels, tinyRequest } from './tiny-model.ts'

export const ROUNDS = 2
const CLIENTS = 3
const log = pino({ level: 'silent' })
const metrics = createMetrics()

/** How many publications of rounds were reported by all coordinators of this process. */
export async function publicationsTold(): Promise<number> {
  const { values } = await metrics.rounds.get()
  return values.find(({ metricName }) => metricName?.endsWith('_count'))?.value ?? 0
}
const bounds = epsilonBounds()
/**
 * Deadlines never come: a round that needed one would never end, and the test would say so. Shorter waits take no time.
 */
const clock: Clock = {
  now: () => Date.now(),
  at(time, callback) {
    if (time - Date.now() > LONGEST_WAIT_MS) return () => {}
    const immediate = setImmediate(callback)
    return () => clearImmediate(immediate)
  },
}
const LONGEST_WAIT_MS = 60_000
/** A run takes milliseconds; one that takes this long hangs. */
const PATIENCE_MS = 45_000

/** What survives a crash: the database and the files. */
export interface Durable {
  readonly store: Store
  readonly objects: Map<string, Uint8Array>
  /** How often the coordinator's own noise was drawn, over all restarts. */
  readonly noise: { draws: number }
}

/** What can go wrong with everything durable that a process uses. */
export interface Faults {
  readonly isDead: boolean
  readonly died: Promise<void>
  wrap<T extends object>(target: T): T
  /** Called when the process has acquired its runs, before clients arrive. */
  hasStarted?(): void
}

/** The runs of one process of the coordinator, and what is shown of them. */
export interface LiveRuns extends Runs {
  readonly views: RunViews
}

/** Starts a coordinator on what the last one left behind, with the clients connected. */
export async function startRuns(
  { store, objects, noise }: Durable,
  clients: readonly FakeClient[],
  process: Faults,
  replyTo: (clientId: string, invitation: Invitation) => InvitationReply = () => ({ accepted: true }),
): Promise<LiveRuns> {
  const ended = (): Promise<never> => new Promise(() => {})
  const gateway: ClientGateway = {
    async offer(clientId, { manifest }) {
      if (process.isDead) return await ended()
      const client = clients.find((candidate) => candidate.clientId === clientId)!
      client.manifests.set(manifest.runId, manifest)
      return { accepted: true, terms: client.termsFor(manifest) }
    },
    async invite(clientId, invitation) {
      if (process.isDead) return await ended()
      const client = clients.find((candidate) => candidate.clientId === clientId)!
      client.invitations.push(invitation)
      const reply = replyTo(clientId, invitation)
      if (reply.accepted)
        void untilItIsLate(store, client, invitation)
          .then(() => upload(runs, client, invitation, process))
          .catch((error: unknown) => client.errors.push(error))
      return reply
    },
    roundClosed: () => {},
    runPaused: () => {},
    runEnded: () => {},
  }
  const runs = createRuns({
    store: process.wrap(store),
    blobs: process.wrap(memoryBlobs(objects)),
    gateway,
    clock,
    log,
    metrics,
    bounds,
    tokens: uploadTokens(Buffer.from('secret')),
    models: tinyModels,
    gatherMs: 0,
    evaluatorFor: async () => undefined,
    noiseSource: () => {
      noise.draws += 1
      return osRandomness
    },
    events: createEvents(),
  })
  await Promise.race([runs.registry.resume(), process.died])
  process.hasStarted?.()
  if (!process.isDead)
    for (const { clientId } of clients) runs.connectedClients.arrived(clientId, new AbortController().signal, 'here')
  const views = new RunViews({ store: process.wrap(store), bounds, isConnected: () => true, runs })
  return { ...runs, views }
}

/**
 * Where late updates are counted, the first of those that a round asks is late: it waits until the round has closed.
 * The others wait for a late one of the round before, so that each coordinator of a test has one.
 */
async function untilItIsLate(store: Store, client: FakeClient, { runId, round }: Invitation): Promise<void> {
  if (!acceptsStaleUpdates(client.manifests.get(runId)!)) return
  for (;;) {
    const progress = await store.rounds.find(runId, round)
    if (progress!.phase !== 'tasked') return
    const isFirst = progress!.tasks[0]!.clientId === client.clientId
    if (!isFirst && (round === 0 || progress!.late !== undefined)) return
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Uploads as a client does: again, with the same bytes, as long as the database is away. */
async function upload(runs: Runs, client: FakeClient, invitation: Invitation, process: Faults): Promise<void> {
  const { runId, round } = invitation
  const { clientId } = client
  while (!process.isDead) {
    try {
      await runs.intake.receive(runId, { round, clientId }, only(client.frame(invitation)))
      return
    } catch (error) {
      if (!isFedsvdError(error, 'DATABASE_UNAVAILABLE') && !isFedsvdError(error, 'RUN_NOT_OPEN')) throw error
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

async function* only(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

/** A run that is open in the store, and its clients enrolled: in a fresh memory store where none is given. */
export async function prepared(changes: Partial<RunRequest> = {}, store: Store = createMemoryStore()) {
  const durable: Durable = { store, objects: new Map(), noise: { draws: 0 } }
  const clients = Array.from({ length: CLIENTS }, (_, index) => {
    const clientId = `00000000-0000-4000-8000-00000000000${index}`
    return new FakeClient('', { clientId, key: generateKeyPairSync('ed25519').privateKey })
  })
  for (const { clientId: id } of clients) {
    if ((await store.clients.find(id)) !== undefined) continue
    const [hash, now] = [`token of ${id}`, Date.now()]
    await store.clients.addTokens([{ hash, createdAt: now, expiresAt: now + 60_000 }])
    await store.clients.enrol(hash, { id, name: `site ${id.at(-1)}`, publicKey: 'none', enrolledAt: now })
  }
  const first = await startRuns(durable, [], new KillableProcess())
  const { runId } = await first.commands.create(
    tinyRequest({ rounds: ROUNDS, clientsPerRound: 2, quorum: 2, deadlineSeconds: 3600, ...changes }),
    TOKEN_HOLDER,
  )
  await first[Symbol.asyncDispose]()
  return { durable, clients, runId }
}

export async function completed({ views }: LiveRuns, runId: string): Promise<RunSnapshot> {
  const patience = Date.now() + PATIENCE_MS
  while (Date.now() < patience) {
    const snapshot = await views.snapshot(runId)
    if (snapshot.state === 'completed') return snapshot
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error(`the run hangs: ${JSON.stringify((await views.snapshot(runId)).current)}`)
}

export async function storedRounds(store: Store, runId: string): Promise<(RoundProgress | undefined)[]> {
  return await Promise.all(Array.from({ length: ROUNDS }, (_, round) => store.rounds.find(runId, round)))
}
