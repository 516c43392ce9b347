import { describe, expect, it } from 'vitest'
import {
  completed,
  type Death,
  expectedAdapter,
  live,
  MortalProcess,
  prepared,
  storedRounds,
} from '../../test-kit/index.ts'
<<<<<<< HEAD
import type { RoundProgress } from '../store/index.ts'
=======
import { TOKEN_HOLDER, uploadTokens } from '../identity/index.ts'
import { epsilonBounds } from '../privacy/index.ts'
import type { ClientGateway } from '../rounds/index.ts'
import type { RoundProgress, Store } from '../store/index.ts'
import { createMemoryStore } from '../store/memory/index.ts'
import { createMetrics } from '../telemetry/index.ts'
import { Conductor } from './conductor.ts'

const ROUNDS = 2
const CLIENTS = 3
const log = pino({ level: 'silent' })
const metrics = createMetrics()
const bounds = epsilonBounds()
/** Nothing here waits for time: a round that needed its deadline would never end, and the test would say so. */
const clock = { now: () => Date.now(), at: () => () => {} }

/** What survives a death: the database and the files. */
interface Durable {
  readonly store: Store
  readonly objects: Map<string, Uint8Array>
}

/** One life of the coordinator on what the last one left behind, with the clients connected. */
async function live(
  { store, objects }: Durable,
  clients: readonly FakeClient[],
  process: MortalProcess,
): Promise<Conductor> {
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
      const { runId, round } = invitation
      const bytes = client.frame(invitation)
      void conductor
        .receiveUpdate(runId, { round, clientId }, only(bytes))
        .catch((error: unknown) => client.errors.push(error))
      return { accepted: true }
    },
    roundClosed: () => {},
    runEnded: () => {},
  }
  const conductor = new Conductor({
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
    isConnected: () => true,
    onChange: () => {},
  })
  await Promise.race([conductor.resume(), process.died])
  if (!process.isDead)
    for (const { clientId } of clients) conductor.clientArrived(clientId, new AbortController().signal)
  return conductor
}

async function* only(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

/** A run that is open in the store, and its clients enrolled. */
async function prepared() {
  const durable: Durable = { store: createMemoryStore(), objects: new Map() }
  const clients = Array.from({ length: CLIENTS }, (_, index) => {
    const clientId = `00000000-0000-4000-8000-00000000000${index}`
    return new FakeClient('', { clientId, key: generateKeyPairSync('ed25519').privateKey })
  })
  const first = await live(durable, [], new MortalProcess())
  const { runId } = await first.createRun(tinyRequest({ rounds: ROUNDS, clientsPerRound: 2, quorum: 2 }), TOKEN_HOLDER)
  await first[Symbol.asyncDispose]()
  return { durable, clients, runId }
}

async function completed(conductor: Conductor, runId: string): Promise<RunSnapshot> {
  for (let turn = 0; turn < 2000; turn += 1) {
    const snapshot = await conductor.snapshot(runId)
    if (snapshot.state === 'completed') return snapshot
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error(`the run hangs: ${JSON.stringify((await conductor.snapshot(runId)).current)}`)
}
>>>>>>> d0d59d31bd2dc56089832cb179d2215c6a081d24

/** Runs until the death, then again to the end. */
async function dieAndGoOn(death: Death) {
  const { durable, clients, runId } = await prepared()
  const mortal = new MortalProcess(death)
  await live(durable, clients, mortal)
  await mortal.died
  const left = await storedRounds(durable.store, runId)
  const conductor = await live(durable, clients, new MortalProcess())
  const snapshot = await completed(conductor, runId)
  const rounds = await storedRounds(durable.store, runId)
  await conductor[Symbol.asyncDispose]()
  return { left, rounds, snapshot, clients }
}

async function callsOfAWholeRun(): Promise<number> {
  const { durable, clients, runId } = await prepared()
  const immortal = new MortalProcess()
  const conductor = await live(durable, clients, immortal)
  for (let turn = 0; turn < 2000; turn += 1) {
    if ((await durable.store.runs.find(runId))?.state === 'completed') break
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { calls } = immortal
  await conductor[Symbol.asyncDispose]()
  return calls
}

describe('a coordinator that dies at any of its awaits', async () => {
  const calls = await callsOfAWholeRun()

  it('makes enough calls for this to mean something', () => {
    expect(calls).toBeGreaterThan(40)
  })

  it.each([
    ['before the call has its effect', 'before'],
    ['after the call has had its effect', 'after'],
  ] as const)('finishes the same run with each update counted once, %s', async (_, when) => {
    const faults: string[] = []
    // The last few calls come after the run has ended.
    for (let atCall = 1; atCall <= calls - 4; atCall += 1) {
      const found = faultsOf(await dieAndGoOn({ atCall, when }))
      faults.push(...found.map((fault) => `death ${when} call ${atCall}: ${fault}`))
    }
    expect(faults).toEqual([])
  })
})

/** What is not as it would be without the death. */
function faultsOf({ left, rounds, snapshot, clients }: Awaited<ReturnType<typeof dieAndGoOn>>): string[] {
  const faults: string[] = []
  if (snapshot.adapter !== expectedAdapter(snapshot, clients)) faults.push('an update was lost or counted twice')
  const tasks = rounds.flatMap((progress) => progress!.tasks)
  for (const { name, clientId, steps } of snapshot.clients) {
    const expected = 2 * tasks.filter((task) => task.clientId === clientId).length
    if (steps !== expected) faults.push(`${name} is charged ${steps} steps in place of ${expected}`)
  }
  const selection = (progress: RoundProgress) => progress.tasks.map(({ clientId }) => clientId).join()
  for (const [round, before] of left.entries()) {
    if (before === undefined) continue
    const after = rounds[round]!
    if (selection(after) !== selection(before)) faults.push(`round ${round} has another selection`)
    for (const { clientId, update } of before.tasks) {
      const now = after.tasks.find((task) => task.clientId === clientId)?.update
      if (update !== undefined && now?.sha256 !== update.sha256)
        faults.push(`round ${round} has lost an accepted update`)
    }
  }
  return faults
}
