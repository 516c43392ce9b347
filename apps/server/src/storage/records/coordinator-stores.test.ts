import { randomUUID } from 'node:crypto'
import type { RunManifest } from '@fedsvd/core/protocol'
import { freshDatabase, postgresAnswers, until } from '@fedsvd/testing/server'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Lease } from './coordinator-stores.ts'
import { createMemoryStore } from './memory/index.ts'
import { openPostgresStore } from './postgres/index.ts'
import type { RoundProgress } from './records.ts'
import type { Store } from './store.ts'

/* One contract, two stores: what coordinators that share a database rely on. */
const STORES: readonly [string, boolean, (stack: AsyncDisposable[]) => Promise<Store>][] = [
  ['memory', true, async () => createMemoryStore()],
  [
    'PostgreSQL',
    await postgresAnswers(),
    async (stack) => {
      const database = await freshDatabase()
      stack.push(database)
      return await openPostgresStore(database.url)
    },
  ],
]

const LONG = 3_600_000
const NOW = Date.UTC(2026, 0, 2)

const MANIFEST = {
  name: 'run',
  method: 'fedsvd' as const,
  model: { name: 'tiny', maxTokens: 16 },
  labels: ['ham', 'spam'],
  adapter: {
    rank: 2,
    alpha: 2,
    headMode: 'frozen' as const,
    layers: [{ name: 'layer', dIn: 4, dOut: 3 }],
    head: [{ name: 'classifier.weight', shape: [2, 4] }],
  },
  rounds: 3,
  localSteps: 1,
  expectedLotSize: 10,
  clipNorm: 1,
  learningRate: 0.1,
  momentum: 0,
  target: { epsilon: 6, delta: 1e-5 },
  clientsPerRound: 1,
  quorum: 1,
  deadlineSeconds: 60,
  seed: 'public',
}

const FACT = {
  round: 0,
  attempt: 1,
  event: {
    mechanism: 'poisson-subsampled-gaussian' as const,
    sampleRate: 1,
    noiseMultiplier: 1,
    steps: 1,
    clipNorm: 1,
    relation: 'add-or-remove-one' as const,
    unit: 'client' as const,
  },
  source: 'coordinator' as const,
  voided: false,
  recordedAt: NOW,
}

for (const [name, isAvailable, open] of STORES) {
  describe.skipIf(!isAvailable)(`the ${name} store of a cluster`, () => {
    const stack: AsyncDisposable[] = []
    let store: Store
    beforeAll(async () => {
      store = await open(stack)
    })
    afterAll(async () => {
      await store?.[Symbol.asyncDispose]()
      for (const resource of stack.reverse()) await resource[Symbol.asyncDispose]()
    })

    async function newRun(): Promise<string> {
      const runId = randomUUID()
      const manifest = { ...MANIFEST, runId } as RunManifest
      const initial = { runId, number: 0, basis: 0, sha256: 'a'.repeat(64), bytes: 1, publishedAt: NOW }
      await store.runs.create({ manifest, state: 'waiting', createdAt: NOW }, initial)
      return runId
    }
    async function newClient(): Promise<string> {
      const [hash, id] = [randomUUID(), randomUUID()]
      await store.clients.addTokens([{ hash, createdAt: NOW, expiresAt: NOW + 1000 }])
      await store.clients.enrol(hash, { id, name: id, publicKey: id, enrolledAt: NOW })
      return id
    }
    const fenced = (lease: Lease | undefined) => store.fencedBy(() => lease)
    const opened = (runId: string): RoundProgress => ({
      runId,
      round: 0,
      phase: 'selected',
      plan: { quorum: 1, clientsPerRound: 1, deadlineSeconds: 60 },
      version: 1,
      openedAt: NOW,
      deadline: NOW,
      extensions: 0,
      tasks: [],
    })

    it('gives a run to one of many that want it', async () => {
      const runId = await newRun()
      const owners = Array.from({ length: 8 }, () => randomUUID())
      const leases = await Promise.all(owners.map((owner) => store.leases.take(runId, owner, LONG)))
      const held = leases.filter((lease) => lease !== undefined)
      expect(held).toEqual([{ runId, owner: await store.leases.ownerOf(runId), epoch: 1 }])
      expect(await store.leases.withoutOwner()).not.toContain(runId)
    })

    it('gives an expired or released run to the next, under the next epoch', async () => {
      const runId = await newRun()
      const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()]
      await store.leases.take(runId, first, 0)
      expect(await store.leases.ownerOf(runId)).toBeUndefined()
      expect(await store.leases.withoutOwner()).toContain(runId)
      const lease = await store.leases.take(runId, second, LONG)
      expect(lease).toEqual({ runId, owner: second, epoch: 2 })
      expect(await store.leases.take(runId, third, LONG)).toBeUndefined()
      await store.leases.release(lease!)
      expect(await store.leases.take(runId, third, LONG)).toEqual({ runId, owner: third, epoch: 3 })
    })

    it('renews what no other has taken, expired or not, and of open runs only', async () => {
      const [kept, lost, ended] = [await newRun(), await newRun(), await newRun()]
      const [owner, other] = [randomUUID(), randomUUID()]
      for (const runId of [kept, lost, ended]) await store.leases.take(runId, owner, 0)
      await store.leases.take(lost, other, LONG)
      await store.runs.move(ended, ['waiting'], { state: 'stopped', endedAt: NOW })
      expect(await store.leases.renew(owner, LONG)).toEqual([{ runId: kept, owner, epoch: 1 }])
      expect(await store.leases.ownerOf(kept)).toBe(owner)
      expect(await store.leases.ownerOf(lost)).toBe(other)
    })

    it('lets an owner write until another has taken the run, and not a moment longer', async () => {
      const runId = await newRun()
      const lease = await store.leases.take(runId, randomUUID(), 0) // expired at once, and not taken by another yet
      const writer = fenced(lease)
      const first = opened(runId)
      expect(await writer.rounds.save({ after: first, spent: [], refunded: [] })).toBe(true)
      await store.leases.take(runId, randomUUID(), LONG)

      const second = { ...first, version: 2, phase: 'tasked' as const }
      const clientId = await newClient()
      const late = [
        () => writer.rounds.save({ before: first, after: second, spent: [], refunded: [] }),
        () => writer.rounds.setEvaluation(runId, 0, { accuracy: 1, loss: 0, records: 1 }),
        () => writer.runs.move(runId, ['waiting'], { state: 'failed' }),
        () => writer.participants.setWithdrawal(runId, clientId, 'BUDGET_EXHAUSTED'),
        () => writer.ledger.charge([{ ...FACT, runId, clientId }]),
        () => fenced(undefined).rounds.save({ before: first, after: second, spent: [], refunded: [] }),
      ]
      for (const write of late) await expect(write()).rejects.toMatchObject({ code: 'LEASE_LOST' })
      expect(await store.rounds.find(runId, 0)).toEqual(first)
      expect((await store.runs.find(runId))!.state).toBe('waiting')
      expect(await store.ledger.lastDraw(runId, 0)).toBe(0)
    })

    it('charges what was judged, or nothing', async () => {
      const [one, other, clientId] = [await newRun(), await newRun(), await newClient()]
      await store.ledger.charge([{ ...FACT, runId: one, clientId }], new Map([[clientId, 0]]))
      const again = { ...FACT, runId: other, clientId }
      await expect(store.ledger.charge([again], new Map([[clientId, 0]]))).rejects.toMatchObject({ code: 'RUN_STATE' })
      expect(await store.ledger.lastDraw(other, 0)).toBe(0)
      await store.ledger.charge([again], new Map([[clientId, 1]]))
      expect(await store.ledger.lastDraw(other, 0)).toBe(1)
    })

    it('lets one of two charge that judged by the same account', async () => {
      const [runs, clientId] = [[await newRun(), await newRun()], await newClient()]
      const charges = runs.map((runId) => store.ledger.charge([{ ...FACT, runId, clientId }], new Map([[clientId, 0]])))
      const outcomes = await Promise.allSettled(charges)
      expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    })

    it('knows where a client is connected: at one coordinator that is alive', async () => {
      const clientId = await newClient()
      const [first, second] = [
        { id: randomUUID(), shared: 'same' },
        { id: randomUUID(), shared: 'same' },
      ]
      const here = { clientId, connectionId: randomUUID(), coordinatorId: first.id }
      const there = { clientId, connectionId: randomUUID(), coordinatorId: second.id }
      expect(await store.connections.connect(here)).toBe(false) // the coordinator is not known
      expect(await store.coordinators.heartbeat(first, LONG)).toBe(false)
      expect(await store.coordinators.heartbeat(first, LONG)).toBe(true)
      await store.coordinators.heartbeat(second, LONG)
      expect(await store.coordinators.list()).toEqual(expect.arrayContaining([first, second]))
      expect(await store.connections.connect(here)).toBe(true)
      expect(await store.connections.connect(there)).toBe(true)
      expect(await store.connections.isConnected(clientId, here.connectionId)).toBe(false)
      expect(await store.connections.isConnected(clientId, there.connectionId)).toBe(true)
      await store.connections.restore([here])
      expect(await store.connections.list()).toContainEqual(there)
      await store.connections.disconnect([here.connectionId])
      expect(await store.connections.list()).toContainEqual(there)
      await store.coordinators.heartbeat(second, 0)
      expect(await store.connections.list()).not.toContainEqual(there)
      expect(await store.connections.isConnected(clientId, there.connectionId)).toBe(false)
      await store.coordinators.sweep(0)
      expect(await store.coordinators.heartbeat(second, LONG)).toBe(false)
      expect(await store.connections.list()).not.toContainEqual(there)
    })

    it('frees the runs of a coordinator that leaves', async () => {
      const [runId, owner] = [await newRun(), randomUUID()]
      await store.leases.take(runId, owner, LONG)
      await store.coordinators.leave(owner)
      expect(await store.leases.withoutOwner()).toContain(runId)
    })

    it('lets a nonce be spent once', async () => {
      const nonce = randomUUID()
      const spent = await Promise.all(Array.from({ length: 4 }, () => store.nonces.spend(nonce, LONG)))
      expect(spent.filter(Boolean)).toHaveLength(1)
      await store.coordinators.sweep(LONG)
      expect(await store.nonces.spend(nonce, LONG)).toBe(false)
    })
  })
}

describe.skipIf(!(await postgresAnswers()))('an owner that writes while its run is being taken over', () => {
  it('waits for the outcome, and is refused', async () => {
    await using database = await freshDatabase()
    await using store = await openPostgresStore(database.url)
    const runId = randomUUID()
    const initial = { runId, number: 0, basis: 0, sha256: 'a'.repeat(64), bytes: 1, publishedAt: NOW }
    await store.runs.create({ manifest: { ...MANIFEST, runId }, state: 'waiting', createdAt: NOW }, initial)
    const lease = await store.leases.take(runId, randomUUID(), 0)
    const other = new pg.Client(database.url)
    await other.connect()
    try {
      await other.query('BEGIN')
      await other.query('UPDATE "RunLease" SET "owner" = gen_random_uuid(), "epoch" = "epoch" + 1')
      const plan = { quorum: 1, clientsPerRound: 1, deadlineSeconds: 60 }
      const progress = { runId, round: 0, plan, version: 1, openedAt: NOW, deadline: NOW, extensions: 0, tasks: [] }
      const after = { ...progress, phase: 'selected' as const }
      const saved = store
        .fencedBy(() => lease)
        .rounds.save({ after, spent: [], refunded: [] })
        .then(
          () => 'stored',
          (error: { code: string }) => error.code,
        )
      await until('the write to wait or to be done', async () => {
        const waiting = `SELECT 1 FROM pg_locks WHERE NOT granted UNION SELECT 1 FROM "Round"`
        return ((await other.query(waiting)).rowCount ?? 0) > 0
      })
      await other.query('COMMIT')
      expect(await saved).toBe('LEASE_LOST')
      expect(await store.rounds.find(runId, 0)).toBeUndefined()
    } finally {
      await other.end()
    }
  })
})
