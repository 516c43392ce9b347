import { generateKeyPairSync } from 'node:crypto'
import type { RunSnapshot } from '@fedsvd/core/protocol'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import {
  type Death,
  expectedAdapter,
  FakeClient,
  MortalProcess,
  memoryBlobs,
  tinyModels,
  tinyRequest,
} from '../../test-kit/index.ts'
import { uploadTokens } from '../identity/index.ts'
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
    ...{ store: process.wrap(store), blobs: process.wrap(memoryBlobs(objects)), gateway, clock, log, metrics, bounds },
    ...{ tokens: uploadTokens(Buffer.from('secret')), models: tinyModels, gatherMs: 0 },
    ...{ evaluatorFor: async () => undefined, isConnected: () => true, onChange: () => {} },
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
  const { runId } = await first.createRun(tinyRequest({ rounds: ROUNDS, clientsPerRound: 2, quorum: 2 }))
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

async function storedRounds(store: Store, runId: string): Promise<(RoundProgress | undefined)[]> {
  return await Promise.all(Array.from({ length: ROUNDS }, (_, round) => store.rounds.find(runId, round)))
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
    // The last few calls come after the run has ended.
    for (let atCall = 1; atCall <= calls - 4; atCall += 1) {
      const { left, rounds, snapshot, clients } = await dieAndGoOn({ atCall, when })
      const at = `death ${when} call ${atCall}`
      expect(snapshot.adapter, at).toBe(expectedAdapter(snapshot, clients))
      for (const [round, before] of left.entries()) {
        if (before === undefined) continue
        const selection = (progress: RoundProgress | undefined) => progress?.tasks.map(({ clientId }) => clientId)
        expect(selection(rounds[round]), at).toEqual(selection(before))
        for (const { clientId, update } of before.tasks) {
          const now = rounds[round]?.tasks.find((task) => task.clientId === clientId)
          if (update !== undefined) expect(now?.update, at).toEqual(update)
        }
      }
      const participations = rounds.flatMap((progress) => progress!.tasks)
      for (const { clientId, steps } of snapshot.clients) {
        expect(steps, at).toBe(2 * participations.filter((task) => task.clientId === clientId).length)
      }
    }
  })
})
