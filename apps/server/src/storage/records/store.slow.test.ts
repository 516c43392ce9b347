import { randomUUID } from 'node:crypto'
import path from 'node:path'
import type { PrivacyEvent } from '@fedsvd/core/accounting'
import { AUDIT_GENESIS, followAudit } from '@fedsvd/core/protocol'
import { freshDatabase, placeEmbeddedDatabase, postgresAnswers, temporaryFolder } from '@fedsvd/testing/server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { auditHash } from './audit-chain.ts'
import { openEmbeddedStore } from './embedded/index.ts'
import { createMemoryStore } from './memory/index.ts'
import { openPostgresStore } from './postgres/index.ts'
import type {
  AuditDraft,
  OperatorRecord,
  Participant,
  PlanRecord,
  PrivacyFact,
  RoundProgress,
  RunRecord,
  Task,
} from './records.ts'
import type { Store } from './store.ts'

/*
 * One contract, three stores. Every case makes its own clients and runs, so the cases share a database and do not meet.
 */
const STORES: readonly [string, boolean, (stack: AsyncDisposable[]) => Promise<Store>][] = [
  ['memory', true, async () => createMemoryStore()],
  [
    'PGlite',
    true,
    async (stack) => {
      const folder = await temporaryFolder()
      stack.push(folder)
      await placeEmbeddedDatabase(folder.path)
      return await openEmbeddedStore(path.join(folder.path, 'database'), () => {})
    },
  ],
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

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678)
const EVENT: PrivacyEvent = {
  mechanism: 'poisson-subsampled-gaussian',
  sampleRate: 0.1,
  noiseMultiplier: 1.2345678901234567,
  steps: 2,
  clipNorm: 0.3,
  relation: 'add-or-remove-one',
  unit: 'record',
}

for (const [name, isAvailable, open] of STORES) {
  describe.skipIf(!isAvailable)(`the ${name} store`, () => {
    const stack: AsyncDisposable[] = []
    let store: Store
    beforeAll(async () => {
      store = await open(stack)
    })
    afterAll(async () => {
      await store?.[Symbol.asyncDispose]()
      for (const resource of stack.reverse()) await resource[Symbol.asyncDispose]()
    })
    async function newClient(): Promise<string> {
      const hash = randomUUID()
      const id = randomUUID()
      await store.clients.addTokens([{ hash, createdAt: NOW, expiresAt: NOW + 1000 }])
      await store.clients.enrol(hash, { id, name: id, publicKey: id, enrolledAt: NOW })
      return id
    }

    async function newOperator(): Promise<OperatorRecord> {
      const id = randomUUID()
      const operator = { id, name: `operator ${id}`, role: 'operator' as const, secretHash: '$scrypt$', createdAt: NOW }
      expect(await store.operators.create(operator)).toBe(true)
      return operator
    }

    async function auditLog() {
      return await store.audit.page(0, 1_000)
    }

    async function newRun(changes: Partial<RunRecord> = {}): Promise<string> {
      const run = runRecord(changes)
      const { runId } = run.manifest
      await store.runs.create(run, {
        runId,
        number: 0,
        basis: 0,
        sha256: `initial-${runId}`,
        bytes: 12,
        publishedAt: NOW,
      })
      return runId
    }

    async function join(runId: string, clientId: string): Promise<Participant> {
      return await store.participants.join(participant(runId, clientId))
    }

    /** A run with two participants and a first round in which both are tasked. */
    async function taskedRound() {
      const runId = await newRun()
      const clients = [await newClient(), await newClient()].sort()
      for (const clientId of clients) await join(runId, clientId)
      const progress = round(runId, { tasks: clients.map((clientId): Task => ({ clientId, state: 'tasked' })) })
      const spent = clients.map((clientId) => fact(runId, clientId))
      expect(await store.rounds.save({ after: progress, spent, refunded: [] })).toBe(true)
      return { runId, clients: clients as [string, string], progress }
    }

    it('answers', () => store.ping())

    it('lists tokens, the newest first, and ends one that nobody has used, once', async () => {
      const later = NOW + 10_000_000
      const [first, second] = [`${'0'.repeat(11)}a`, `${'0'.repeat(11)}b`].map((start) => start + randomUUID())
      await store.clients.addTokens([{ hash: first!, name: 'North', createdAt: later, expiresAt: later + 1000 }])
      await store.clients.addTokens([{ hash: second!, createdAt: later + 1, expiresAt: later + 1000 }])
      const id = randomUUID()
      await store.clients.enrol(second!, { id, name: id, publicKey: id, enrolledAt: later })
      expect(await store.clients.tokens(2)).toEqual([
        { hash: second, createdAt: later + 1, expiresAt: later + 1000, clientId: id },
        { hash: first, name: 'North', createdAt: later, expiresAt: later + 1000 },
      ])
      expect(await store.clients.withdrawToken(second!.slice(0, 12), later)).toBe(false)
      expect(await store.clients.withdrawToken(first!.slice(0, 12), later)).toBe(true)
      expect(await store.clients.withdrawToken(first!.slice(0, 12), later)).toBe(false)
      const late = { id: randomUUID(), name: 'North', publicKey: randomUUID(), enrolledAt: later }
      await expect(store.clients.enrol(first!, late)).rejects.toThrow(/TOKEN_INVALID: .*an expired token/)
    })

    it('lets a token buy one identity, once, in time', async () => {
      const hash = randomUUID()
      await store.clients.addTokens([{ hash, createdAt: NOW, expiresAt: NOW + 1000 }])
      const client = { id: randomUUID(), name: 'Büro 1', publicKey: 'key', enrolledAt: NOW + 999 }
      await store.clients.enrol(hash, client)
      expect(await store.clients.find(client.id)).toEqual(client)

      const second = { ...client, id: randomUUID(), name: 'Büro 2', publicKey: 'another' }
      await expect(store.clients.enrol(hash, second)).rejects.toThrow(/TOKEN_INVALID: .*used before/)
      await expect(store.clients.enrol('no such token', second)).rejects.toThrow(/TOKEN_INVALID: .*unknown/)
      const expired = randomUUID()
      await store.clients.addTokens([{ hash: expired, createdAt: NOW, expiresAt: NOW + 1000 }])
      await expect(store.clients.enrol(expired, { ...second, enrolledAt: NOW + 1000 })).rejects.toThrow(
        /TOKEN_INVALID: .*expired/,
      )
      expect(await store.clients.find(second.id)).toBeUndefined()
      expect(await store.clients.names([client.id, second.id])).toEqual(new Map([[client.id, 'Büro 1']]))
    })

    it('lets a token for a name buy that name alone, and is not used up by another', async () => {
      const hash = randomUUID()
      await store.clients.addTokens([{ hash, name: 'North Clinic', createdAt: NOW, expiresAt: NOW + 1000 }])
      const other = store.clients.enrol(hash, { ...clientRecord(), name: 'south clinic' })
      await expect(other).rejects.toThrow(/TOKEN_INVALID: .*south clinic, and a token .* another name/)
      await expect(other).rejects.not.toThrow(/north/i)
      const client = { ...clientRecord(), name: 'north-clinic' }
      expect(await store.clients.enrol(hash, client)).toEqual({ clientId: client.id })
    })

    it('lets one of two callers have a token', async () => {
      const hash = randomUUID()
      await store.clients.addTokens([{ hash, createdAt: NOW, expiresAt: NOW + 1000 }])
      const results = await Promise.allSettled(
        [randomUUID(), randomUUID()].map((id) =>
          store.clients.enrol(hash, { id, name: id, publicKey: id, enrolledAt: NOW }),
        ),
      )
      expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    })

    it('gives back a run as it was created, and moves it only from a state that it is in', async () => {
      const run = runRecord()
      const { runId } = run.manifest
      await store.runs.create(run, { runId, number: 0, basis: 0, sha256: 'aa', bytes: 12, publishedAt: NOW })
      expect(await store.runs.find(runId)).toEqual(run)
      expect((await store.runs.list()).map(({ manifest }) => manifest.runId)).toContain(runId)
      expect(await store.adapters.newest(runId)).toEqual({
        runId,
        number: 0,
        basis: 0,
        sha256: 'aa',
        bytes: 12,
        publishedAt: NOW,
      })

      expect(await store.runs.move(runId, ['waiting'], { state: 'running' })).toBe(true)
      expect(await store.runs.move(runId, ['waiting'], { state: 'running' })).toBe(false)
      expect(
        await store.runs.move(runId, ['waiting', 'running'], { state: 'failed', reason: 'why', endedAt: NOW }),
      ).toBe(true)
      expect(await store.runs.move(runId, ['waiting', 'running'], { state: 'completed', endedAt: NOW })).toBe(false)
      await store.runs.setBaseline(runId, { majority: 0.744, records: 1000 })
      const ended = {
        ...run,
        state: 'failed',
        reason: 'why',
        endedAt: NOW,
        baseline: { majority: 0.744, records: 1000 },
      }
      expect(await store.runs.find(runId)).toEqual(ended)
      expect(await store.runs.find(randomUUID())).toBeUndefined()
    })

    it('keeps each change of a plan, in order, while the run has not ended', async () => {
      const { runId } = await taskedRound()
      const plan = { runId, rounds: 5, quorum: 1, clientsPerRound: 2, deadlineSeconds: 1.5 }
      const change = (version: number, changes: Partial<PlanRecord> = {}): PlanRecord => {
        return { ...plan, version, changedAt: NOW, changedBy: 'operator-token', ...changes }
      }
      expect(await store.runs.plans(runId)).toEqual([])
      expect(await store.runs.addPlan(change(2))).toBe(false)
      expect(await Promise.all([store.runs.addPlan(change(1)), store.runs.addPlan(change(1))])).toContain(false)
      expect(await store.runs.addPlan(change(2, { rounds: 0 }))).toBe(false) // one round has begun
      expect(await store.runs.addPlan(change(2, { rounds: 1 }))).toBe(true)
      expect(await store.runs.plans(runId)).toEqual([change(1), change(2, { rounds: 1 })])
      await store.runs.move(runId, ['waiting'], { state: 'stopped', endedAt: NOW })
      expect(await store.runs.addPlan(change(3))).toBe(false)
    })

    it('lists the paused runs of a client', async () => {
      const clientId = await newClient()
      const [paused, running, foreign] = [await newRun(), await newRun(), await newRun()]
      for (const runId of [paused, running]) await join(runId, clientId)
      for (const runId of [paused, foreign]) await store.runs.move(runId, ['waiting'], { state: 'paused' })
      expect(await store.participants.pausedRuns(clientId)).toEqual([paused])
      expect(await store.runs.move(paused, ['paused'], { state: 'running' })).toBe(true)
      expect(await store.participants.pausedRuns(clientId)).toEqual([])
    })

    it('keeps the terms that were stated first', async () => {
      const [runId, clientId] = [await newRun(), await newClient()]
      const first = await join(runId, clientId)
      const other = { ...participant(runId, clientId), terms: { ...first.terms, noiseMultiplier: 9 } }
      expect(await store.participants.join(other)).toEqual(first)
      expect(first.terms.noiseMultiplier).toBe(1.2345678901234567)
      await store.participants.setWithdrawal(runId, clientId, 'BUDGET_EXHAUSTED')
      expect(await store.participants.ofRun(runId)).toEqual([{ ...first, withdrawal: 'BUDGET_EXHAUSTED' }])
      await store.participants.setWithdrawal(runId, clientId, undefined)
      expect(await store.participants.ofRun(runId)).toEqual([first])
    })

    it('remembers when a client was last seen, and what it runs until it says otherwise', async () => {
      const clientId = await newClient()
      expect(await store.clients.find(clientId)).not.toHaveProperty('lastSeenAt')
      await store.clients.seen(clientId, NOW + 1, '1.2.3')
      await store.clients.seen(clientId, NOW + 2)
      expect(await store.clients.find(clientId)).toMatchObject({ lastSeenAt: NOW + 2, version: '1.2.3' })
      await store.clients.seen(randomUUID(), NOW)
    })

    it('remembers the longest ledger that a client has shown', async () => {
      const clientId = await newClient()
      const head = (length: number, digit: string) => ({ length, head: digit.repeat(64) })
      const note = (length: number, digit: string) => store.clients.noteLedger(clientId, head(length, digit))
      expect(await note(3, 'a')).toEqual(head(3, 'a'))
      expect(await note(3, 'b')).toEqual(head(3, 'a'))
      expect(await note(2, 'c')).toEqual(head(3, 'a'))
      expect(await note(5, 'd')).toEqual(head(5, 'd'))
      expect(await store.clients.find(clientId)).toMatchObject({ ledger: head(5, 'd') })
      expect(await store.clients.noteLedger(randomUUID(), head(1, 'a'))).toBeUndefined()
    })

    it('lets a cap rise only as long as nothing is counted, in epsilon and in delta alike, and keeps every one', async () => {
      const runId = await newRun()
      const clientId = await newClient()
      const cap = (epsilon: number, delta: number) => ({ clientId, epsilon, delta, actor: 'operator-token', at: NOW })
      const set = (epsilon: number, delta: number) => store.clients.setCap(cap(epsilon, delta))
      expect([await set(3, 1e-6), await set(4, 1e-5)]).toEqual([true, true])
      await join(runId, clientId)
      await store.ledger.adopt([fact(runId, clientId, { voided: true })])
      expect(await set(5, 1e-5)).toBe(true) // a refused invitation spends nothing
      await store.ledger.adopt([fact(runId, clientId)])
      expect(await set(5.5, 1e-5)).toBe(false)
      expect(await set(2, 1e-4)).toBe(false)
      expect([await set(5, 1e-5), await set(2, 1e-5), await set(3, 1e-5)]).toEqual([true, true, false])
      const caps = await store.clients.capsOf(clientId)
      expect(caps.map(({ epsilon }) => epsilon)).toEqual([3, 4, 5, 5, 2])
      expect((await store.clients.caps()).filter((one) => one.clientId === clientId)).toEqual(caps)
      expect(await store.clients.capsOf(await newClient())).toEqual([])
    })

    it('adds up what clients have spent, run by run, voided facts left out', async () => {
      const [one, other] = [await newRun(), await newRun()]
      const [clientId, stranger] = [await newClient(), await newClient()]
      for (const runId of [one, other]) await join(runId, clientId)
      await store.ledger.adopt([
        fact(one, clientId),
        fact(one, clientId, { round: 1 }),
        fact(one, clientId, { round: 2, voided: true }),
        fact(other, clientId),
      ])
      const { sampleRate, noiseMultiplier, steps } = EVENT
      const spent = { clientId, sampleRate, noiseMultiplier }
      const spending = await store.ledger.spendingOf([clientId, stranger])
      expect(spending.toSorted((left, right) => right.steps - left.steps)).toEqual([
        { ...spent, runId: one, steps: 2 * steps },
        { ...spent, runId: other, steps },
      ])
      const byRound = await store.ledger.spendingByRound(one)
      expect(byRound.map(({ round }) => round)).toEqual([0, 1])
    })

    it('knows the terms of the run that first used the data of a client, voided facts left out', async () => {
      const runs = [await newRun(), await newRun(), await newRun()] as const
      const [clientId, stranger] = [await newClient(), await newClient()]
      const terms = (epsilon: number) => ({ ...participant('', '').terms, budget: { epsilon, delta: 1e-5 } })
      for (const [index, runId] of runs.entries()) {
        await store.participants.join({ ...participant(runId, clientId), terms: terms(index + 1) })
      }
      const [late, first, refused] = runs
      await store.ledger.adopt([
        fact(refused, clientId, { recordedAt: NOW - 1, voided: true }),
        fact(late, clientId, { recordedAt: NOW + 1 }),
        fact(first, clientId, { recordedAt: NOW + 2, round: 1 }),
        fact(first, clientId, { recordedAt: NOW }),
      ])
      expect(await store.ledger.firstTerms([clientId, stranger])).toEqual(new Map([[clientId, terms(2)]]))
    })

    it('notes when the own ledger of a client was first said to hold a fact', async () => {
      const [runId, clientId] = [await newRun(), await newClient()]
      await join(runId, clientId)
      await store.ledger.adopt([0, 1, 2].map((round) => fact(runId, clientId, { round })))
      const held = [0, 2, 7].map((round) => ({ round, attempt: 1 }))
      const all = [0, 1, 2].map((round) => fact(runId, clientId, { round }))
      const before = await store.ledger.report({ runId, clientId, sinceRound: 0, held, at: NOW + 5 })
      expect(before).toEqual({ facts: all, delivered: [], stepsAhead: 0 })
      const after = await store.ledger.report({ runId, clientId, sinceRound: 2, held: held.slice(1), at: NOW + 9 })
      expect(after.facts).toEqual([fact(runId, clientId, { round: 2, reportedAt: NOW + 5 })])
      const facts = await store.ledger.facts(runId, clientId, 0)
      expect(facts.map(({ reportedAt }) => reportedAt)).toEqual([NOW + 5, undefined, NOW + 5])
    })

    it('counts the steps of rounds that have not begun as spent, under the terms of the participant', async () => {
      const [runId, clientId] = [await newRun(), await newClient()]
      const { terms } = await join(runId, clientId)
      await store.ledger.adopt([fact(runId, clientId, { round: 0 })])
      await store.ledger.setAhead(runId, clientId, 6_000_000_000)
      const { sampleRate, noiseMultiplier } = terms
      expect({ sampleRate, noiseMultiplier }).toEqual({
        sampleRate: EVENT.sampleRate,
        noiseMultiplier: EVENT.noiseMultiplier,
      })
      const spent = { clientId, sampleRate, noiseMultiplier, steps: 6_000_000_002 }
      expect(await store.ledger.spending(runId)).toEqual([spent])
      expect(await store.ledger.spendingOf([clientId])).toEqual([{ runId, ...spent }])
      expect(await store.ledger.spendingByRound(runId)).toContainEqual({ ...spent, steps: 6_000_000_000, round: 0 })
      const told = { runId, clientId, sinceRound: 0, held: [], at: NOW }
      expect((await store.ledger.report(told)).stepsAhead).toBe(6_000_000_000)
      await store.ledger.setAhead(runId, clientId, 0)
      expect(await store.ledger.spending(runId)).toEqual([{ ...spent, steps: 2 }])
    })

    it('sets aside what only a client has stated, also when it is stated again, and keeps what was charged', async () => {
      const [runId, clientId] = [await newRun(), await newClient()]
      await join(runId, clientId)
      const poisoned = { ...EVENT, noiseMultiplier: 1e-300, steps: 2 ** 31 - 1 }
      const charged = fact(runId, clientId, { round: 0, source: 'coordinator' })
      const stated = fact(runId, clientId, { round: 1, source: 'client', event: poisoned })
      await store.ledger.adopt([charged, stated])
      await store.ledger.setAhead(runId, clientId, 9)
      const audit = {
        at: NOW,
        actor: 'somebody',
        action: 'client.quarantine',
        object: `client:${clientId}`,
        detail: {},
      }
      expect(await store.ledger.quarantine({ runId, clientId, at: NOW + 1 }, audit)).toBe(1)
      const own = { clientId, sampleRate: EVENT.sampleRate, noiseMultiplier: EVENT.noiseMultiplier, steps: 2 }
      expect(await store.ledger.spending(runId)).toEqual([own])
      await store.ledger.adopt([stated])
      expect(await store.ledger.spending(runId)).toEqual([own])
      expect(await store.ledger.facts(runId, clientId, 0)).toEqual([charged, { ...stated, quarantinedAt: NOW + 1 }])
      expect(await store.ledger.quarantine({ runId, clientId, at: NOW + 2 }, audit)).toBe(0)
      const entries = (await store.audit.page(0, 1000)).filter(({ object }) => object === `client:${clientId}`)
      expect(entries.map(({ action }) => action)).toEqual(['client.quarantine'])
    })

    it('takes over thousands of facts at once, and again', async () => {
      const [runId, clientId] = [await newRun(), await newClient()]
      await join(runId, clientId)
      const facts = Array.from({ length: 5000 }, (_, round) =>
        fact(runId, clientId, { round, voided: round % 2 === 0 }),
      )
      await store.ledger.adopt(facts)
      await store.ledger.adopt(facts)
      const [spent] = await store.ledger.spending(runId)
      expect(spent!.steps).toBe(2 * 5000)
    })

    it('lists the ended runs of a client, the newest first', async () => {
      const clientId = await newClient()
      const runs = [await newRun(), await newRun(), await newRun()]
      for (const runId of runs) await join(runId, clientId)
      await store.runs.move(runs[0]!, ['waiting'], { state: 'stopped', endedAt: NOW })
      await store.runs.move(runs[2]!, ['waiting'], { state: 'completed', endedAt: NOW + 5 })
      const ended = await store.participants.endedRuns(clientId, 10)
      expect(ended.map(({ manifest }) => manifest.runId)).toEqual([runs[2], runs[0]])
      expect(await store.participants.endedRuns(clientId, 1)).toHaveLength(1)
    })

    it('stores a round with its privacy events as one change', async () => {
      const { runId, clients, progress } = await taskedRound()
      expect(await store.rounds.find(runId, 0)).toEqual(progress)
      for (const clientId of clients) {
        expect(await store.ledger.facts(runId, clientId, 0)).toEqual([fact(runId, clientId)])
      }
      expect(await store.rounds.publishedCount(runId)).toBe(0)
    })

    it('refuses a writer that has not seen the last change, and then stores none of its parts', async () => {
      const { runId, clients, progress } = await taskedRound()
      const stale = { ...progress, version: progress.version - 1 }
      const after = {
        ...progress,
        version: 9,
        tasks: progress.tasks.map((task) => ({ ...task, state: 'refused' as const })),
      }
      expect(await store.rounds.save({ before: stale, after, spent: [], refunded: clients })).toBe(false)
      expect(await store.rounds.save({ after, spent: [], refunded: clients })).toBe(false)
      expect(await store.rounds.find(runId, 0)).toEqual(progress)
      expect((await store.ledger.facts(runId, clients[0], 0))[0]?.voided).toBe(false)
    })

    it('lets one of two writers of a version win', async () => {
      const { runId, progress } = await taskedRound()
      const after = [1, 2].map((extensions) => ({ ...progress, version: progress.version + 1, extensions }))
      const saved = await Promise.all(
        after.map((next) => store.rounds.save({ before: progress, after: next, spent: [], refunded: [] })),
      )
      expect(saved.filter(Boolean)).toHaveLength(1)
      expect(await store.rounds.find(runId, 0)).toEqual(after[saved.indexOf(true)])
    })

    it('follows a round to its publication', async () => {
      const { runId, clients, progress } = await taskedRound()
      const [deliverer, refuser] = clients
      const update = { sha256: 'update', bytes: 99, receivedAt: NOW + 1 }
      const received: RoundProgress = {
        ...progress,
        version: 3,
        phase: 'received',
        closedAt: NOW + 2,
        extensions: 1,
        deadline: NOW + 500,
        tasks: [
          { clientId: deliverer, state: 'delivered', update },
          { clientId: refuser, state: 'refused' },
        ],
      }
      expect(await store.rounds.save({ before: progress, after: received, spent: [], refunded: [refuser] })).toBe(true)
      expect(await store.rounds.find(runId, 0)).toEqual(received)
      expect(await store.ledger.delivered(runId, deliverer, 0)).toEqual([0])
      expect(await store.ledger.delivered(runId, deliverer, 1)).toEqual([])
      expect(await store.ledger.delivered(runId, refuser, 0)).toEqual([])
      const says = { runId, held: [], at: NOW }
      const [one, none, other] = await Promise.all([
        store.ledger.report({ ...says, clientId: deliverer, sinceRound: 0 }),
        store.ledger.report({ ...says, clientId: deliverer, sinceRound: 1 }),
        store.ledger.report({ ...says, clientId: refuser, sinceRound: 0 }),
      ])
      expect([one, none, other].map(({ delivered }) => delivered)).toEqual([[0], [], []])
      expect([one, none, other].map(({ facts }) => facts.map(({ voided }) => voided))).toEqual([[false], [], [true]])

      const result = { sha256: `state-${runId}`, bytes: 77, basis: 1 }
      const aggregated: RoundProgress = { ...received, version: 4, phase: 'aggregated', result }
      expect(await store.rounds.save({ before: received, after: aggregated, spent: [], refunded: [] })).toBe(true)
      expect(await store.rounds.find(runId, 0)).toEqual(aggregated)
      expect(await store.adapters.mayRead(deliverer, result.sha256)).toBe(false)
      expect((await store.adapters.newest(runId))?.number).toBe(0)

      const published: RoundProgress = { ...aggregated, version: 5, phase: 'published', publishedAt: NOW + 3 }
      expect(await store.rounds.save({ before: aggregated, after: published, spent: [], refunded: [] })).toBe(true)
      expect(await store.rounds.find(runId, 0)).toEqual(published)
      expect(await store.rounds.publishedCount(runId)).toBe(1)
      expect(await store.adapters.find(runId, 1)).toEqual({ runId, number: 1, ...result, publishedAt: NOW + 3 })
      const history = { round: 0, clients: [deliverer], openedAt: NOW, publishedAt: NOW + 3 }
      expect(await store.rounds.published(runId)).toEqual([history])
      const evaluation = { accuracy: 0.95, loss: 0.123456789, records: 1000 }
      for (const measured of [evaluation, { ...evaluation, microF1: 0.625 }]) {
        await store.rounds.setEvaluation(runId, 0, measured)
        expect(await store.rounds.published(runId)).toEqual([{ ...history, evaluation: measured }])
      }
      expect(await store.rounds.published(runId, 0)).toHaveLength(1)
      expect(await store.rounds.published(runId, 1)).toEqual([])
    })

    it('refers to every state, and to updates until their round is published or their run has ended', async () => {
      const referredTo = async (names: readonly string[], keepUpdates = false) =>
        [...(await store.references.referenced(names, { keepUpdates }))].toSorted()
      const { runId, clients, progress } = await taskedRound()
      const [initial, state, sha256] = [`initial-${runId}`, `state-${runId}`, `update-${runId}`]
      const update = { sha256, bytes: 9, receivedAt: NOW }
      const tasks = progress.tasks.map((task) =>
        task.clientId === clients[0] ? { ...task, state: 'delivered' as const, update } : task,
      )
      const received: RoundProgress = { ...progress, version: progress.version + 1, phase: 'received', tasks }
      const save = (before: RoundProgress, after: RoundProgress) =>
        store.rounds.save({ before, after, spent: [], refunded: [] })
      expect(await save(progress, received)).toBe(true)
      const names = [initial, state, sha256, 'nothing']
      expect(await referredTo(names)).toEqual([initial, sha256])
      expect(await referredTo(['nothing'])).toEqual([])
      const result = { sha256: state, bytes: 77, basis: 1 }
      const aggregated: RoundProgress = { ...received, version: received.version + 1, phase: 'aggregated', result }
      expect(await save(received, aggregated)).toBe(true)
      expect(await referredTo(names)).toEqual([initial, state, sha256])
      const version = aggregated.version + 1
      expect(await save(aggregated, { ...aggregated, version, phase: 'published', publishedAt: NOW })).toBe(true)
      expect(await referredTo(names)).toEqual([initial, state])
      expect(await referredTo(names, true)).toEqual([initial, state, sha256])

      const other = await taskedRound()
      const otherUpdate = { sha256: `update-${other.runId}`, bytes: 9, receivedAt: NOW }
      const otherTasks = other.progress.tasks.map((task) => ({
        ...task,
        state: 'delivered' as const,
        update: otherUpdate,
      }))
      expect(await save(other.progress, { ...other.progress, version: 2, tasks: otherTasks })).toBe(true)
      expect(await referredTo([otherUpdate.sha256])).toEqual([otherUpdate.sha256])
      await store.runs.move(other.runId, ['waiting'], { state: 'stopped', endedAt: NOW })
      expect(await referredTo([otherUpdate.sha256])).toEqual([])
    })

    it('counts a late update in one round only, however many rounds count at the same time, and shows it in both', async () => {
      const { runId, clients, progress } = await taskedRound()
      const [a, b] = clients
      const closed = { ...progress, phase: 'published' as const, version: 3, closedAt: NOW, publishedAt: NOW }
      const result = { sha256: 'one', bytes: 8, basis: 1 }
      expect(await store.rounds.save({ before: progress, after: { ...closed, result }, spent: [], refunded: [] })).toBe(
        true,
      )
      const sha256 = `late-${runId}`
      const late = [{ clientId: a, round: 0, sha256, bytes: 9, receivedAt: NOW + 1 }]
      const isReferredTo = async () => (await store.references.referenced([sha256], { keepUpdates: false })).has(sha256)
      const plan = { ...progress.plan, bufferSize: 2 }
      const next = (number: number) => round(runId, { round: number, plan, tasks: [{ clientId: b, state: 'tasked' }] })
      for (const number of [1, 2]) await store.rounds.save({ after: next(number), spent: [], refunded: [] })
      const count = (number: number) =>
        store.rounds.save({
          before: next(number),
          after: { ...next(number), version: 3, late },
          spent: [fact(runId, b, { round: number })],
          refunded: [],
        })
      const settled = await Promise.allSettled([count(1), count(2)])
      expect(settled.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
      expect(settled.find((one) => one.status === 'rejected')).toMatchObject({ reason: { code: 'RUN_NOT_OPEN' } })
      const winner = settled[0]!.status === 'fulfilled' ? 1 : 2
      expect(await store.rounds.find(runId, winner)).toEqual({ ...next(winner), version: 3, late })
      expect(await store.rounds.find(runId, 3 - winner)).toEqual(next(3 - winner)) // none of the other is stored
      expect((await store.ledger.facts(runId, b, 1)).map((stored) => stored.round)).toEqual([winner])
      const update = { sha256, bytes: 9, receivedAt: NOW + 1 }
      expect(await isReferredTo()).toBe(true) // its own round is published, the one that counts it is not
      expect((await store.rounds.find(runId, 0))!.tasks).toEqual([
        { clientId: a, state: 'late', update },
        { clientId: b, state: 'tasked' },
      ])
      expect(await store.ledger.delivered(runId, a, 0)).toEqual([0])
      const after = { ...next(winner), version: 4, late, phase: 'published' as const, closedAt: NOW, publishedAt: NOW }
      await store.rounds.save({ before: { ...next(winner), version: 3, late }, after, spent: [], refunded: [] })
      expect(await isReferredTo()).toBe(false)
      expect((await store.rounds.published(runId)).map((one) => [one.round, one.clients, one.late])).toEqual([
        [0, [], undefined],
        [winner, [], late],
      ])
      expect((await store.rounds.history(runId, winner, 1))[0]).toMatchObject({ round: winner, late, plan })
    })

    it('shows published states to participants of their run only, and updates to no client', async () => {
      const { runId, clients } = await taskedRound()
      const stranger = await newClient()
      expect(await store.adapters.mayRead(clients[0], `initial-${runId}`)).toBe(true)
      expect(await store.adapters.mayRead(stranger, `initial-${runId}`)).toBe(false)
      expect(await store.adapters.mayRead(clients[0], 'update')).toBe(false)
    })

    it('adds spending up by mechanism, voided facts left out, and counts a fact again that is taken up again', async () => {
      const { runId, clients, progress } = await taskedRound()
      const [first, second] = clients
      const total = async (clientId: string) =>
        (await store.ledger.spending(runId)).filter((entry) => entry.clientId === clientId)
      const one = { clientId: first, sampleRate: 0.1, noiseMultiplier: 1.2345678901234567, steps: 2 }
      expect(await total(first)).toEqual([one])

      await store.ledger.adopt([fact(runId, first, { attempt: 2, source: 'client' }), fact(runId, first)])
      expect(await total(first)).toEqual([{ ...one, steps: 4 }])

      const refused: RoundProgress = {
        ...progress,
        version: 3,
        tasks: progress.tasks.map((task) => (task.clientId === second ? { ...task, state: 'refused' } : task)),
      }
      await store.rounds.save({ before: progress, after: refused, spent: [], refunded: [second] })
      expect(await total(second)).toEqual([])
      expect((await store.ledger.facts(runId, second, 0))[0]).toMatchObject({ voided: true })

      await store.rounds.save({
        before: refused,
        after: { ...progress, version: 4 },
        refunded: [],
        spent: [fact(runId, second, { recordedAt: NOW + 9 })],
      })
      expect(await total(second)).toEqual([{ ...one, clientId: second }])
      expect(await store.ledger.facts(runId, second, 0)).toEqual([fact(runId, second)])
      expect(await store.ledger.facts(runId, second, 1)).toEqual([])
    })

    it('revokes a client once', async () => {
      const id = await newClient()
      expect(await store.clients.revoke(id, NOW + 1)).toBe(true)
      expect(await store.clients.revoke(id, NOW + 2)).toBe(false)
      expect(await store.clients.revoke(randomUUID(), NOW)).toBe(false)
      expect(await store.clients.find(id)).toMatchObject({ id, revokedAt: NOW + 1 })
      expect(await store.clients.revokedAmong([await newClient(), id, randomUUID()])).toEqual([id])
      expect((await store.clients.list()).find((client) => client.id === id)).toMatchObject({ revokedAt: NOW + 1 })
    })

    it('keeps one operator of a name, and the owner of a run', async () => {
      const operator = await newOperator()
      expect(await store.operators.create({ ...operator, id: randomUUID() })).toBe(false)
      expect(await store.operators.find(operator.id)).toEqual(operator)
      expect(await store.operators.findByName(operator.name)).toEqual(operator)
      expect(await store.operators.findByName('nobody')).toBeUndefined()
      expect(await store.operators.list()).toContainEqual(operator)
      const runId = await newRun({ ownerId: operator.id })
      expect(await store.runs.find(runId)).toMatchObject({ ownerId: operator.id })
      expect(await store.runs.find(await newRun())).not.toHaveProperty('ownerId')
    })

    it('counts versions of a model by name, moves tags between them, and gives no number twice', async () => {
      const runId = await newRun()
      const name = `model ${runId}`
      const model = { name, runId, createdAt: NOW, createdBy: 'operator-token' }
      const versions = await Promise.all(
        [1, 2, 3].map((number) => store.registeredModels.register({ ...model, number, tags: ['best'] })),
      )
      expect(versions.map(({ version }) => version).toSorted()).toEqual([1, 2, 3])
      const own = async () => (await store.registeredModels.list()).filter((one) => one.name === name)
      expect((await own()).map(({ version }) => version)).toEqual([3, 2, 1])
      expect((await own()).filter(({ tags }) => tags.includes('best'))).toHaveLength(1)
      const second = (await own())[1]!
      const again = await store.registeredModels.register({ ...model, number: second.number, tags: ['best', 'new'] })
      expect(again).toMatchObject({ version: 2, tags: ['best', 'new'] })
      expect(await store.registeredModels.remove({ name, version: 3 }, NOW)).toBe(true)
      expect(await store.registeredModels.remove({ name, version: 3 }, NOW)).toBe(false)
      expect((await own()).map(({ version }) => version)).toEqual([2, 1])
      expect(await store.registeredModels.register({ ...model, number: 9, tags: [] })).toMatchObject({ version: 4 })
      expect(await store.registeredModels.firstOf(name)).toMatchObject({ version: 1 })
      expect(await store.registeredModels.firstOf('nothing')).toBeUndefined()
    })

    it('refers to no state that is retired', async () => {
      const runId = await newRun()
      expect(await store.adapters.kept(runId)).toEqual([0])
      const { sha256 } = (await store.adapters.find(runId, 0))!
      const referenced = async () => (await store.references.referenced([sha256], { keepUpdates: true })).has(sha256)
      expect(await referenced()).toBe(true)
      await store.adapters.retire(runId, [0, 5], NOW)
      expect(await store.adapters.kept(runId)).toEqual([])
      expect(await store.adapters.find(runId, 0)).toMatchObject({ retiredAt: NOW })
      expect(await referenced()).toBe(false)
    })

    it('knows an operator by issuer and subject, once, and changes its role', async () => {
      const who = { issuer: 'https://login.example', subject: randomUUID() }
      const id = randomUUID()
      const operator = { id, name: `by ${id}`, role: 'admin' as const, secretHash: '$scrypt$', createdAt: NOW, ...who }
      expect(await store.operators.create(operator)).toBe(true)
      expect(await store.operators.create({ ...operator, id: randomUUID(), name: `again ${id}` })).toBe(false)
      expect(await store.operators.findBySubject(who)).toEqual(operator)
      expect(await store.operators.findBySubject({ ...who, issuer: 'https://elsewhere.example' })).toBeUndefined()
      await newOperator() // who has neither
      await newOperator()
      const before = (await store.audit.page(0, 1e6)).length
      const draft = { at: NOW, actor: 'a', action: 'operator.role', object: 'o', detail: {} }
      await store.operators.setRole(id, 'auditor', draft)
      await store.operators.setRole(id, 'auditor', draft)
      expect(await store.operators.find(id)).toEqual({ ...operator, role: 'auditor' })
      expect((await store.audit.page(0, 1e6)).length).toBe(before + 1)
    })

    it('knows a session until it expires, ends, or its operator is disabled', async () => {
      const operator = await newOperator()
      const begin = async () => {
        const session = { hash: randomUUID(), operatorId: operator.id, createdAt: NOW, expiresAt: NOW + 10 }
        await store.operators.beginSession(session)
        return session
      }
      const session = await begin()
      const { hash } = session
      expect(await store.operators.session(hash, NOW + 9)).toEqual([session, operator])
      expect(await store.operators.session(hash, NOW + 10)).toBeUndefined()
      await store.operators.renewSession(hash, NOW + 20)
      expect(await store.operators.session(hash, NOW + 19)).toEqual([{ ...session, expiresAt: NOW + 20 }, operator])
      expect(await store.operators.endSession(hash)).toBe(true)
      expect(await store.operators.endSession(hash)).toBe(false)
      expect(await store.operators.session(hash, NOW)).toBeUndefined()

      const [second, expired] = [await begin(), { ...(await begin()), hash: randomUUID(), createdAt: NOW + 10 }]
      await store.operators.beginSession({ ...expired, expiresAt: NOW + 30 })
      expect(await store.operators.session(second.hash, NOW)).toBeUndefined() // forgotten, as it had expired
      expect(await store.operators.disable(operator.id, NOW + 5)).toBe(true)
      expect(await store.operators.disable(operator.id, NOW + 6)).toBe(false)
      expect(await store.operators.session(expired.hash, NOW)).toBeUndefined()
      expect(await store.operators.find(operator.id)).toMatchObject({ disabledAt: NOW + 5 })
    })

    it('writes one audit entry with each action that happens, and none with one that does not', async () => {
      const before = (await auditLog()).length
      const [operator, clientId, runId] = [await newOperator(), await newClient(), await newRun()]
      const attempts: [string, () => Promise<unknown>][] = [
        [
          'create',
          () => store.operators.create({ ...operator, id: randomUUID(), name: randomUUID() }, draft('create')),
        ],
        ['', () => store.operators.create(operator, draft('create again'))],
        ['begin', () => store.operators.beginSession(sessionOf(operator, 'audited'), draft('begin'))],
        ['end', () => store.operators.endSession('audited', draft('end'))],
        ['', () => store.operators.endSession('audited', draft('end again'))],
        ['disable', () => store.operators.disable(operator.id, NOW, draft('disable'))],
        ['', () => store.operators.disable(operator.id, NOW, draft('disable again'))],
        ['revoke', () => store.clients.revoke(clientId, NOW, draft('revoke'))],
        ['', () => store.clients.revoke(clientId, NOW, draft('revoke again'))],
        ['move', () => store.runs.move(runId, ['waiting'], { state: 'stopped' }, draft('move'))],
        ['', () => store.runs.move(runId, ['waiting'], { state: 'stopped' }, draft('move again'))],
        ['tokens', () => store.clients.addTokens([tokenOf('audited token')], draft('tokens'))],
        ['enrol', () => store.clients.enrol('audited token', clientRecord(), draft('enrol'))],
        ['', () => store.clients.enrol('audited token', clientRecord(), draft('enrol again')).catch(() => {})],
        ['append', () => store.audit.append(draft('append'))],
      ]
      for (const [, attempt] of attempts) await attempt()
      const written = (await auditLog()).slice(before).map(({ action }) => action)
      expect(written).toEqual(attempts.flatMap(([action]) => (action === '' ? [] : [action])))
    })

    it('chains audit entries without a gap or a fork, however many are written at once', async () => {
      const before = (await auditLog()).length
      await Promise.all(Array.from({ length: 25 }, (_, index) => store.audit.append(draft(`at once ${index}`, index))))
      const log = await auditLog()
      expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1))
      expect(new Set(log.slice(before).map(({ action }) => action)).size).toBe(25)
      const start = { entries: 0, head: AUDIT_GENESIS }
      expect(followAudit(start, log, auditHash)).toEqual({ intact: true, entries: before + 25, head: log.at(-1)!.hash })
      expect(log.at(-1)).toMatchObject({
        actor: 'anonymous',
        object: 'nothing',
        detail: { note: 'ö', list: ['b', 'a'] },
      })
      expect(await store.audit.page(before, 2)).toEqual(log.slice(before, before + 2))

      const edited = log.map((entry, index) => (index === 3 ? { ...entry, actor: 'somebody else' } : entry))
      expect(followAudit(start, edited, auditHash)).toMatchObject({ intact: false, entries: 3, fault: { seq: 4 } })
      const shortened = log.filter((_, index) => index !== 3)
      expect(followAudit(start, shortened, auditHash)).toMatchObject({ intact: false, entries: 3, fault: { seq: 4 } })
    })

    it('keeps the clip norms of the next round with the state that it starts from', async () => {
      const { runId, progress } = await taskedRound()
      const factors = { device: 'javascript', seconds: 0.1 + 0.2, fallbacks: 1 }
      const result = {
        sha256: `adapted-${runId}`,
        bytes: 7,
        basis: 1,
        factors,
        clipNorm: 0.1 + 0.2,
        clientClipNorm: 1 / 3,
      }
      const after: RoundProgress = { ...progress, version: 3, phase: 'aggregated', result }
      expect(await store.rounds.save({ before: progress, after, spent: [], refunded: [] })).toBe(true)
      expect(await store.rounds.find(runId, 0)).toEqual(after)
      expect(await store.adapters.find(runId, 1)).toEqual({ runId, number: 1, ...result })
    })

    it('keeps what the coordinator charged per client apart from what clients spent per record', async () => {
      const { runId, clients, progress } = await taskedRound()
      const [first, second] = clients
      const event: PrivacyEvent = { ...EVENT, sampleRate: 1, steps: 1, unit: 'client' }
      const drawn = (attempt: number, clientId = first, changes: Partial<PrivacyFact> = {}) =>
        fact(runId, clientId, { event, attempt, ...changes })
      const central = async (clientId: string) =>
        (await store.ledger.clientLevelSpending()).filter((entry) => entry.clientId === clientId)
      const one = { clientId: first, sampleRate: 1, noiseMultiplier: EVENT.noiseMultiplier, steps: 1 }

      expect(await store.ledger.lastDraw(runId, 0)).toBe(0)
      await store.ledger.charge([drawn(1), drawn(1, second)])
      expect(await store.ledger.lastDraw(runId, 0)).toBe(1)
      expect(await store.ledger.lastDraw(runId, 1)).toBe(0)
      expect(await central(first)).toEqual([one])

      await expect(store.ledger.charge([drawn(2), drawn(1, second)])).rejects.toThrow('RUN_STATE')
      expect(await central(first)).toEqual([one])
      await store.ledger.charge([drawn(2)])
      expect(await store.ledger.lastDraw(runId, 0)).toBe(2)
      expect(await central(first)).toEqual([{ ...one, steps: 2 }])

      const otherRun = await newRun()
      await store.ledger.charge([drawn(1, first, { runId: otherRun })])
      expect(await central(first)).toEqual([{ ...one, steps: 3 }])

      const after = { ...progress, version: 3 }
      await store.rounds.save({ before: progress, after, spent: [], refunded: [first] })
      expect(await central(first)).toEqual([{ ...one, steps: 3 }])
      expect(await store.ledger.facts(runId, first, 0)).toEqual([fact(runId, first, { voided: true })])
      expect((await store.ledger.spending(runId)).map(({ clientId }) => clientId)).toEqual([second])
    })

    it('lists the newest alerts, oldest first', async () => {
      const [runId, clientId] = [await newRun(), await newClient()]
      const alerts = [1, 2, 3].map((at) => ({ runId, code: 'LEDGER_MISMATCH', message: `alert ${at}`, at: NOW + at }))
      for (const alert of alerts) await store.alerts.add(alert)
      await store.alerts.add({ ...alerts[0]!, clientId })
      expect(await store.alerts.list(runId, 2)).toEqual([alerts[2], { ...alerts[0], clientId }])
      const other = { runId, code: 'QUORUM_MISSED', message: 'another', at: NOW + 9 }
      await store.alerts.add(other)
      expect(await store.alerts.list(runId, 1, ['LEDGER_MISMATCH'])).toEqual([{ ...alerts[0], clientId }])
      expect(await store.alerts.list(runId, 9, ['QUORUM_MISSED'])).toEqual([other])
      expect(await store.alerts.list(await newRun(), 2)).toEqual([])
    })
  })
}

function draft(action: string, count = 1): AuditDraft {
  const detail = { note: 'ö', list: ['b', 'a'], count, isTrue: true }
  return { at: NOW, actor: 'anonymous', action, object: 'nothing', detail }
}

function sessionOf({ id }: OperatorRecord, hash: string) {
  return { hash, operatorId: id, createdAt: NOW, expiresAt: NOW + 10 }
}

function tokenOf(hash: string) {
  return { hash, createdAt: NOW, expiresAt: NOW + 10 }
}

function clientRecord() {
  return { id: randomUUID(), name: 'site', publicKey: 'key', enrolledAt: NOW }
}

function runRecord(changes: Partial<RunRecord> = {}): RunRecord {
  return {
    manifest: {
      runId: randomUUID(),
      name: 'a run',
      method: 'fedsvd',
      model: { name: 'tiny', maxTokens: 16 },
      labels: ['ham', 'spam'],
      adapter: { rank: 2, alpha: 2, layers: [{ name: 'layer', dIn: 6, dOut: 5 }], head: [], headMode: 'frozen' },
      rounds: 3,
      localSteps: 2,
      expectedLotSize: 10,
      clipNorm: 0.1,
      learningRate: 1e-7,
      momentum: 0,
      target: { epsilon: 6, delta: 1e-5 },
      clientsPerRound: 2,
      quorum: 1,
      deadlineSeconds: 30,
      seed: 'public',
    },
    state: 'waiting',
    createdAt: NOW,
    ...changes,
  }
}

function participant(runId: string, clientId: string): Participant {
  const budget = { epsilon: 6, delta: 1e-5 }
  const terms = { declaredRecords: 100, sampleRate: 0.1, noiseMultiplier: 1.2345678901234567, budget }
  return { runId, clientId, terms, joinedAt: NOW }
}

function round(runId: string, changes: Partial<RoundProgress> = {}): RoundProgress {
  const times = { openedAt: NOW, deadline: NOW + 100, extensions: 0 }
  const plan = { quorum: 1, clientsPerRound: 2, deadlineSeconds: 0.1 }
  return { runId, round: 0, phase: 'tasked', plan, version: 2, ...times, tasks: [], ...changes }
}

function fact(runId: string, clientId: string, changes: Partial<PrivacyFact> = {}): PrivacyFact {
  const place = { runId, round: 0, clientId, attempt: 1 }
  return { ...place, event: EVENT, source: 'coordinator', voided: false, recordedAt: NOW, ...changes }
}
