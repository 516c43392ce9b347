import { randomUUID } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { describe, expect, it } from 'vitest'
import type { BlobStore } from '../../apps/server/src/storage/objects/index.ts'
import type { PrivacyFact, Store } from '../../apps/server/src/storage/records/index.ts'
import { createMemoryStore } from '../../apps/server/src/storage/records/memory/index.ts'
import { eventOfRound, type PrivacyEvent } from '../../packages/core/src/accounting/index.ts'
import { isFedsvdError } from '../../packages/core/src/errors.ts'
import {
  type LedgerReport,
  type LedgerReportPart,
  REPORT_PART_CHARACTERS,
  type RunManifest,
  type RunSnapshot,
} from '../../packages/core/src/protocol/index.ts'
import {
  get,
  type Identity,
  memoryBlobs,
  post,
  type TestCoordinator,
  testCoordinator,
  until,
} from '../../packages/testing/src/server/index.ts'

/*
 * One enrolled client sends what it likes. The coordinator goes on for everybody else: it answers, it counts nothing
 * that is not owed, and it starts again.
 */

/**
 * No single piece of work may keep others waiting for longer: 0.1 s on a quiet machine, and tests share theirs with
 * others.
 */
const LONGEST_BLOCK_MS = 10_000

const AWAY = async (): Promise<void> => {}
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'none',
    (error: unknown) => (isFedsvdError(error) ? error.code : String(error)),
  )

/** The longest time for which the event loop served nobody while something was done. */
async function longestBlock(action: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  await action()
  await new Promise((resolve) => setImmediate(resolve))
  delay.disable()
  return delay.max / 1e6
}

/** A run in whose first round the client is asked, and trains without end. */
async function askedOnce(coordinator: TestCoordinator, changes: Parameters<TestCoordinator['createRun']>[0] = {}) {
  const manifest = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 3, ...changes })
  const client = await coordinator.client('hostile', { train: AWAY })
  await client.connect()
  await until('the invitation', () => client.invitations.length === 1)
  return { manifest, client, owed: eventOfRound(manifest, client.termsFor(manifest)) }
}

const report = (manifest: RunManifest, events: readonly [round: number, attempt: number, event: PrivacyEvent][]) =>
  ({
    runId: manifest.runId,
    reservations: events.map(([round, attempt, event]) => ({ round, attempt, event })),
  }) satisfies LedgerReport

async function stepsOf(coordinator: TestCoordinator, { runId }: RunManifest): Promise<number> {
  return (await coordinator.snapshot(runId)).clients[0]!.steps
}

describe('a poisoned fact', () => {
  it.each<[string, (owed: PrivacyEvent) => [number, number, PrivacyEvent][]]>([
    ['next to no noise', (owed) => [[0, 2, { ...owed, noiseMultiplier: 1e-300 }]]],
    ['endless noise', (owed) => [[0, 2, { ...owed, noiseMultiplier: 1e300 }]]],
    ['no sampling to speak of', (owed) => [[0, 2, { ...owed, sampleRate: 1e-300 }]]],
    [
      'ten events of more steps than there are',
      (owed) =>
        Array.from({ length: 10 }, (_, index): [number, number, PrivacyEvent] => [
          0,
          index + 1,
          { ...owed, noiseMultiplier: 0.5 + index, steps: 2 ** 31 - 1 },
        ]),
    ],
    ['events that are in range and not owed', (owed) => [[0, 2, { ...owed, noiseMultiplier: 0.011 }]]],
    ['attempts far ahead', (owed) => [[0, 900, owed]]],
    [
      'one reservation twice',
      (owed) => [
        [0, 1, owed],
        [0, 1, owed],
      ],
    ],
  ])('is not counted, and no other client waits: %s', async (_, events) => {
    await using coordinator = await testCoordinator()
    const { manifest, client, owed } = await askedOnce(coordinator)
    const before = await stepsOf(coordinator, manifest)
    let reply: unknown
    const block = await longestBlock(async () => {
      reply = await client.report(report(manifest, events(owed)))
      await coordinator.snapshot(manifest.runId)
    })
    expect(reply).toMatchObject({ agrees: false })
    expect(block).toBeLessThan(LONGEST_BLOCK_MS)
    expect(await stepsOf(coordinator, manifest)).toBe(before)
    expect(await get(coordinator.url, '/v1/runs', coordinator.operatorToken)).toMatchObject({ runs: [{}] })
  })

  it.each([1e-300, 1e300, 0.011, 1e9])('is none as terms either: noise multiplier %d', async (noiseMultiplier) => {
    await using coordinator = await testCoordinator()
    const manifest = await coordinator.createRun({ clientsPerRound: 1, quorum: 1 })
    const client = await coordinator.client('hostile', { terms: { noiseMultiplier }, train: AWAY })
    const honest = await coordinator.client('honest', { train: AWAY })
    const block = await longestBlock(async () => {
      await client.connect()
      await honest.connect()
      await until('the invitation of the other', () => honest.invitations.length === 1)
    })
    expect(block).toBeLessThan(LONGEST_BLOCK_MS)
    expect(client.invitations).toEqual([])
    const { clients } = await coordinator.snapshot(manifest.runId)
    expect(clients.map(({ name }) => name)).toEqual(['honest'])
  })
})

describe('facts of rounds that have not begun', () => {
  const many = 14_000

  it('are charged to their client as one number, and make no rows', async () => {
    await using coordinator = await testCoordinator()
    const { manifest, client, owed } = await askedOnce(coordinator, {
      rounds: many,
      target: { epsilon: 1000, delta: 1e-5 },
    })
    const all = Array.from({ length: many }, (_, round): [number, number, PrivacyEvent] => [round, 1, owed])
    let reply: unknown
    const block = await longestBlock(async () => {
      reply = await client.report(report(manifest, all))
      await client.report(report(manifest, all))
    })
    expect(reply).toEqual({ agrees: true })
    expect(block).toBeLessThan(LONGEST_BLOCK_MS)
    expect(await stepsOf(coordinator, manifest)).toBe(many * owed.steps)
    expect(await coordinator.store.ledger.facts(manifest.runId, client.clientId, 0)).toHaveLength(1)
    expect((await coordinator.snapshot(manifest.runId)).roundsDone).toBe(0)
  })

  it('stay charged when the client forgets them, and are told', async () => {
    await using coordinator = await testCoordinator()
    const { manifest, client, owed } = await askedOnce(coordinator)
    expect(await client.report(report(manifest, [[0, 1, owed], [1, 1, owed]]))).toEqual({ agrees: true }) // biome-ignore format: pairs
    expect(await client.report(report(manifest, [[0, 1, owed]]))).toMatchObject({ agrees: false })
    expect(await stepsOf(coordinator, manifest)).toBe(2 * owed.steps)
  })

  it('are refused beyond the end of the run', async () => {
    await using coordinator = await testCoordinator()
    const { manifest, client, owed } = await askedOnce(coordinator)
    expect(await client.report(report(manifest, [[3, 1, owed]]))).toMatchObject({ error: { code: 'MESSAGE_INVALID' } })
  })
})

it('charges in a report, which would count for nothing, are refused by their name', async () => {
  await using coordinator = await testCoordinator()
  const { manifest, client, owed } = await askedOnce(coordinator)
  const charges = [{ number: 1, purpose: 'count', event: owed }]
  const reply = await client.report({ ...report(manifest, [[0, 1, owed]]), charges } as LedgerReport)
  expect(reply).toMatchObject({ agrees: false, error: { code: 'MESSAGE_INVALID', got: expect.stringContaining('charges') } }) // biome-ignore format: one answer
})

describe('a poisoned row that lies in the database already', () => {
  async function poisoned(store: Store, blobs: BlobStore): Promise<{ manifest: RunManifest; identity: Identity }> {
    await using coordinator = await testCoordinator({}, { openStore: async () => store, openBlobs: async () => blobs })
    const { manifest, client, owed } = await askedOnce(coordinator)
    const facts = [1e-300, 1e300, 0.02].map((noiseMultiplier, index): PrivacyFact => {
      const event = { ...owed, noiseMultiplier, steps: 2 ** 31 - 1 }
      const place = { runId: manifest.runId, clientId: client.clientId, round: 0, attempt: index + 2 }
      return { ...place, event, source: 'client', voided: false, recordedAt: 0, reportedAt: 0 }
    })
    await store.ledger.adopt(facts)
    return { manifest, identity: client.identity }
  }

  it('stops neither a start, nor a list, nor another client, and can be set aside by an operator', async () => {
    const store = createMemoryStore()
    const blobs = memoryBlobs()
    const { manifest, identity } = await poisoned(store, blobs)
    await using coordinator = await testCoordinator({}, { openStore: async () => store, openBlobs: async () => blobs })
    const { url, operatorToken } = coordinator
    const { runs } = await get<{ runs: RunSnapshot[] }>(url, '/v1/runs', operatorToken)
    expect(runs[0]!.clients[0]).toMatchObject({ exhausted: true, looseBound: true })
    const statement = await get(url, `/v1/runs/${manifest.runId}/statements/${identity.clientId}`, operatorToken)
    expect(statement).toMatchObject({ statement: { guarantee: { epsilonPld: expect.any(Number) } } })
    const other = await coordinator.client('other', { train: AWAY })
    const block = await longestBlock(async () => {
      await other.connect()
      await coordinator.seen(manifest.runId, 'the other', ({ clients }) => clients.length === 2)
    })
    expect(block).toBeLessThan(LONGEST_BLOCK_MS)

    const place = `/v1/runs/${manifest.runId}/clients/${identity.clientId}/quarantine`
    expect(await post(url, place, {}, operatorToken)).toEqual({ facts: 3 })
    const { clients } = await coordinator.snapshot(manifest.runId)
    const cleared = clients.find(({ clientId }) => clientId === identity.clientId)!
    expect(cleared.steps).toBe(2)
    expect(cleared.exhausted).toBe(false)
    const { entries } = await get<{ entries: { action: string }[] }>(url, '/v1/audit-log', operatorToken)
    expect(entries.map(({ action }) => action)).toContain('client.quarantine')
    expect(await code(post(url, place.replace(identity.clientId, manifest.runId), {}, operatorToken))).toBe(
      'CLIENT_NOT_FOUND',
    )
  })
})

describe('a norm bound of its own', () => {
  it('is not to be had by stating more noise, in new terms or in those of an earlier release', async () => {
    await using coordinator = await testCoordinator()
    const manifest = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1 })
    const client = await coordinator.client('hostile', { train: AWAY })
    const { store } = coordinator
    // As a coordinator of an earlier release took it in.
    await store.participants.join({
      runId: manifest.runId,
      clientId: client.clientId,
      terms: { ...client.termsFor(manifest), noiseMultiplier: 1e9 },
      joinedAt: 0,
    })
    const terms = await store.participants.ofRun(manifest.runId)
    expect(terms[0]!.terms.noiseMultiplier).toBe(1e9)
    const loud = await coordinator.client('loud', { terms: { noiseMultiplier: 1e6 }, train: AWAY })
    await Promise.all([client.connect(), loud.connect()])
    await coordinator.seen(manifest.runId, 'both alerts', ({ alerts }) => alerts.length === 2)
    expect([...client.invitations, ...loud.invitations]).toEqual([])
  })

  it('follows from the terms of the run where a stored one is too large: an update of a million is refused', async () => {
    await using coordinator = await testCoordinator()
    const manifest = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1 })
    const client = await coordinator.client('hostile', { train: AWAY })
    await client.connect()
    await until('the invitation', () => client.invitations.length === 1)
    const participant = (await coordinator.store.participants.ofRun(manifest.runId))[0]!
    Object.assign(participant.terms, { noiseMultiplier: 1e9 })
    const tensors = client.delta(manifest.runId, 0).map((tensor) => ({ ...tensor, data: tensor.data.map(() => 1e6) }))
    const frame = client.frame(client.invitations[0]!, { tensors })
    expect(await code(client.upload(client.invitations[0]!, frame))).toBe('NORM_EXCEEDED')
  })
})

describe('silence', () => {
  it('does not stall a run whose quorum is the number asked, where there is another client', async () => {
    await using coordinator = await testCoordinator()
    const settings = { clientsPerRound: 2, quorum: 2, rounds: 1, deadlineSeconds: 0.5 }
    const { runId } = await coordinator.createRun(settings)
    const silent = await coordinator.client('silent', { train: AWAY })
    const [one, two] = [await coordinator.client('one'), await coordinator.client('two')]
    await Promise.all([silent.connect(), one.connect()])
    await until('both invitations', () => silent.invitations.length === 1 && one.uploads.length === 1)
    await two.connect()
    const { rounds } = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(rounds[0]!.clients).toEqual([one.clientId, two.clientId].sort())
  })

  it('is asked again at each extension of the deadline, which are few however short it is', async () => {
    await using coordinator = await testCoordinator()
    const settings = { clientsPerRound: 1, quorum: 1, rounds: 1, deadlineSeconds: 0.1 }
    const { runId } = await coordinator.createRun(settings)
    const silent = await coordinator.client('silent', { train: AWAY })
    await silent.connect()
    const { current } = await coordinator.seen(runId, 'extensions', (snapshot) => snapshot.current?.extensions === 3)
    expect(silent.invitations.length).toBeGreaterThanOrEqual(3)
    const spent = Date.parse(current!.deadline!) - Date.parse(current!.openedAt!)
    expect(spent).toBeGreaterThanOrEqual(100 * (1 + 2 + 4 + 8) - 50)
  })

  it('is not needed where a client tells that its round failed: another one is asked at once', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1, deadlineSeconds: 3600 })
    const failing = await coordinator.client('failing', {
      train: async (self, { round }) => {
        self.socket!.emit('round-failed', { runId, round, code: 'STORAGE_UNAVAILABLE' })
      },
    })
    await failing.connect()
    const { alerts } = await coordinator.seen(runId, 'the alert', (snapshot) => snapshot.alerts.length === 1)
    expect(alerts[0]).toMatchObject({ code: 'STORAGE_UNAVAILABLE', clientId: failing.clientId })
    const spare = await coordinator.client('spare')
    await spare.connect()
    await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(spare.uploads).toHaveLength(1)
    expect((await coordinator.snapshot(runId)).clients.map(({ steps }) => steps)).toEqual([2, 2]) // it may have spent
  })
})

describe('leaving', () => {
  it('ends no run before the others have come', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1, deadlineSeconds: 3600 })
    const error = { code: 'BUDGET_EXHAUSTED', expected: 'a budget', got: 'none', remedy: 'None.' }
    const hostile = await coordinator.client('hostile', { onInvite: () => ({ accepted: false, error }) })
    await hostile.connect()
    await coordinator.seen(runId, 'the refusal', ({ alerts }) => alerts.length === 1)
    const honest = await coordinator.client('honest')
    await honest.connect()
    const { rounds } = await coordinator.seen(runId, 'the end', ({ state }) => state !== 'running')
    expect(rounds.map(({ clients }) => clients)).toEqual([[honest.clientId]])
  })
})

describe('alerts', () => {
  it('of one client are bounded, and crowd out neither those of the coordinator nor its own serious ones', async () => {
    await using coordinator = await testCoordinator({ reportsPerMinute: 10_000 })
    let asked = 0
    const manifest = await coordinator.createRun({ clientsPerRound: 2, quorum: 2, rounds: 1, deadlineSeconds: 0.2 })
    const { runId } = manifest
    const noisy = await coordinator.client('noisy', {
      onInvite: () => {
        asked += 1
        const error = { code: 'UNEXPECTED', expected: `nothing ${asked}`, got: 'something', remedy: 'None.' }
        return { accepted: false, error }
      },
    })
    const honest = await coordinator.client('honest', { train: AWAY })
    await Promise.all([noisy.connect(), honest.connect()])
    await coordinator.seen(runId, 'a missed deadline', ({ alerts }) =>
      alerts.some(({ code: kind }) => kind === 'QUORUM_MISSED'),
    )
    const owed = eventOfRound(manifest, noisy.termsFor(manifest))
    for (let count = 0; count < 150; count += 1) {
      await noisy.report(report(manifest, [[0, 1, { ...owed, noiseMultiplier: 1 + count / 1000 }], [0, 3 + count, owed]])) // biome-ignore format: pairs
    }
    const stored = await coordinator.store.alerts.list(runId, 10_000)
    const own = stored.filter(({ clientId, code: kind }) => clientId === noisy.clientId && kind === 'LEDGER_MISMATCH')
    expect(own.length).toBeGreaterThan(0)
    expect(own.length).toBeLessThanOrEqual(20)
    const { alerts } = await coordinator.snapshot(runId)
    expect(alerts.some(({ code: kind }) => kind === 'QUORUM_MISSED')).toBe(true)
    expect(alerts.some(({ code: kind }) => kind === 'LEDGER_MISMATCH')).toBe(true)
  })
})

describe('a run request with a key that differs from a field by its case', () => {
  it('opens no run without the client-level privacy that it asked for', async () => {
    await using coordinator = await testCoordinator()
    const asked = { clientlevel: { clipNorm: 1, budget: { epsilon: 4, delta: 1e-3 } } } as object
    const error = await coordinator.createRun(asked).catch((fault: unknown) => fault)
    expect(error).toMatchObject({ code: 'MESSAGE_INVALID' })
    expect(String(error)).toContain('clientLevel')
  })
})

describe('many large reports', () => {
  it('count as the many that they are, and a connection that sends on is closed', async () => {
    await using coordinator = await testCoordinator({ reportsPerMinute: 100 })
    const { manifest, client, owed } = await askedOnce(coordinator, { rounds: 20_000 })
    const large = report(
      manifest,
      Array.from({ length: 20_000 }, (_, round): [number, number, PrivacyEvent] => [round, 1, owed]),
    )
    expect(await client.report(large)).toEqual({ agrees: true }) // one is taken, whatever its size
    expect(await client.report(large)).toMatchObject({ error: { code: 'RATE_LIMITED' } })
    const gone = new Promise<string>((resolve) => client.socket!.once('disconnect', resolve))
    for (let count = 0; count < 200; count += 1) {
      client.socket!.emit('ledger-report', report(manifest, []), () => {})
    }
    expect(await gone).toBe('io server disconnect')
  })

  it('in parts are taken however low the limit is, and a second one is not', async () => {
    await using coordinator = await testCoordinator({ reportsPerMinute: 5 })
    const { manifest, client, owed } = await askedOnce(coordinator, { rounds: 1000 })
    const rounds = Array.from({ length: 1000 }, (_, round): [number, number, PrivacyEvent] => [round, 1, owed])
    const text = JSON.stringify(report(manifest, rounds))
    const of = Math.ceil(text.length / REPORT_PART_CHARACTERS)
    expect(of).toBeGreaterThan(5)
    const send = (index: number, id: string) => {
      const piece = text.slice(index * REPORT_PART_CHARACTERS, (index + 1) * REPORT_PART_CHARACTERS)
      const message = { id, index, of, text: piece }
      return client.socket!.timeout(20_000).emitWithAck('ledger-report-part', message)
    }
    const id = randomUUID()
    for (let index = 0; index < of - 1; index += 1) expect(await send(index, id)).toEqual({ received: true })
    expect(await send(of - 1, id)).toEqual({ agrees: true })
    expect(await send(0, randomUUID())).toMatchObject({ agrees: false, error: { code: 'RATE_LIMITED' } })
  })

  it('of parts that fit no report, or that are no JSON together, are refused as any other', async () => {
    await using coordinator = await testCoordinator()
    const { client } = await askedOnce(coordinator)
    const send = (message: unknown) =>
      client.socket!.timeout(20_000).emitWithAck('ledger-report-part', message as LedgerReportPart)
    const refused = { agrees: false, error: { code: 'MESSAGE_INVALID' } }
    const id = randomUUID()
    for (const message of [null, {}, { id, index: 1, of: 2, text: 'x' }, { id, index: 0, of: 1e9, text: 'x' }])
      expect(await send(message)).toMatchObject(refused)
    expect(await send({ id, index: 0, of: 2, text: '{"runId":' })).toEqual({ received: true })
    expect(await send({ id, index: 1, of: 2, text: ']' })).toMatchObject(refused)
  })
})
