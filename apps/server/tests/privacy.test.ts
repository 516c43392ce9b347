import { describe, expect, it } from 'vitest'
import { calibrateNoiseMultiplier, pld } from '../../../packages/core/src/accounting/index.ts'
import { untouchedNoiseQuestion } from '../../../packages/core/src/privacy/index.ts'
import type { LedgerReport, PrivacyTerms, RunManifest } from '../../../packages/core/src/protocol/index.ts'
import {
  expectedAdapter,
  type FakeClient,
  type TestCoordinator,
  testCoordinator,
  tinyRequest,
  until,
} from '../../../packages/testing/src/server/index.ts'

type Event = LedgerReport['reservations'][number]['event']

function eventOf(client: FakeClient, manifest: RunManifest): Event {
  const { sampleRate, noiseMultiplier } = client.termsFor(manifest)
  return {
    mechanism: 'poisson-subsampled-gaussian',
    sampleRate,
    noiseMultiplier,
    steps: manifest.localSteps,
    clipNorm: manifest.clipNorm,
    relation: 'add-or-remove-one',
    unit: 'record',
  }
}

/** Epsilon of so many rounds under the default terms of the tests: q = 0.1, sigma = 2, two steps a round. */
const epsilonOf = (rounds: number, noiseMultiplier = 2): number =>
  pld.epsilonUpperBound([{ sampleRate: 0.1, noiseMultiplier, steps: 2 * rounds }], 1e-5)

describe('a client whose budget is nearly spent', () => {
  it('is left out with its noise, by a run that names no ratio; the run goes on without it and says who and why', async () => {
    await using coordinator = await testCoordinator()
    const changes = { maxNoiseRatio: undefined, clientsPerRound: 2, quorum: 1, rounds: 1, deadlineSeconds: 0.5 }
    const { runId } = await coordinator.createRun(changes)
    const { budget, ...shape } = untouchedNoiseQuestion(tinyRequest(changes), 0.1)
    const noiseMultiplier = calibrateNoiseMultiplier({ ...budget, ...shape, accountant: pld })
    const spent = await coordinator.client('nearly spent', { terms: { noiseMultiplier: 2.02 * noiseMultiplier } })
    const untouched = await coordinator.client('untouched', { terms: { noiseMultiplier } })
    await spent.connect()
    await coordinator.seen(runId, 'the refusal', ({ leftOut }) => leftOut?.length === 1)
    await untouched.connect()
    const snapshot = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(snapshot.manifest.maxNoiseRatio).toBe(2)
    expect(snapshot.leftOut).toEqual([
      expect.objectContaining({
        clientId: spent.clientId,
        name: 'nearly spent',
        code: 'BUDGET_TOO_SMALL',
        message: expect.stringContaining('2 times what an untouched budget needs'),
      }),
    ])
    expect(snapshot.clients.map(({ name }) => name)).toEqual(['untouched'])
    expect(spent.invitations).toEqual([])
  })

  it('weighs by its noise where the run asks for that', async () => {
    await using coordinator = await testCoordinator()
    const clients = await Promise.all([
      coordinator.client('untouched'),
      coordinator.client('another'),
      coordinator.client('nearly spent', { terms: { noiseMultiplier: 5 } }),
    ])
    const { runId } = await coordinator.createRun({ aggregation: { name: 'inverse-variance-mean' }, rounds: 1 })
    await Promise.all(clients.map((client) => client.connect()))
    const snapshot = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(snapshot.adapter).toBe(expectedAdapter(snapshot, clients))
    const { aggregation: _, ...equal } = snapshot.manifest
    expect(snapshot.adapter).not.toBe(expectedAdapter({ ...snapshot, manifest: equal }, clients))
  })
})

describe('the budget of a client', () => {
  it('is never exceeded by an invitation: the client is left out before, and the run ends when too few are left', async () => {
    await using coordinator = await testCoordinator()
    const budget = (epsilonOf(2) + epsilonOf(2.5)) / 2 // buys two rounds of two steps, and no step more
    const { runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 1, rounds: 5 })
    const poor = await coordinator.client('poor', { terms: { budget: { epsilon: budget, delta: 1e-5 } } })
    const rich = await coordinator.client('rich')
    await Promise.all([poor.connect(), rich.connect()])
    const snapshot = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(poor.invitations.map(({ round }) => round)).toEqual([0, 1])
    expect(rich.invitations).toHaveLength(5)
    const shown = snapshot.clients.find(({ name }) => name === 'poor')!
    expect(shown).toMatchObject({ exhausted: true, steps: 4, budget })
    expect(shown.epsilonUpperBound).toBe(epsilonOf(2))
  })

  it('ends the run with its reason, and with the rounds that it has, when no client has budget for the next one', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 5 })
    const poor = await coordinator.client('poor', { terms: { budget: { epsilon: epsilonOf(1), delta: 1e-5 } } })
    await poor.connect()
    const snapshot = await coordinator.seen(runId, 'the end', ({ endedAt }) => endedAt !== undefined)
    expect(snapshot).toMatchObject({ state: 'completed', roundsDone: 1 })
    expect(snapshot.reason).toBe(
      'too few clients with budget left: round 2 needs 1, 0 can pay for it; the run ends with 1 of 5 rounds',
    )
    expect(poor.invitations).toHaveLength(1)
  })

  it('is charged for as many steps of its last round as it pays for, and given back what it refuses', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 5 })
    const budget = (epsilonOf(1.5) + epsilonOf(2)) / 2 // buys three steps of two rounds of two
    const poor = await coordinator.client('poor', { terms: { budget: { epsilon: budget, delta: 1e-5 } } })
    await poor.connect()
    const snapshot = await coordinator.seen(runId, 'the end', ({ endedAt }) => endedAt !== undefined)
    expect(snapshot).toMatchObject({ state: 'completed', roundsDone: 2 })
    expect(snapshot.clients[0]).toMatchObject({ steps: 3, exhausted: true, epsilonUpperBound: epsilonOf(1.5) })
    const facts = await coordinator.store.ledger.facts(runId, poor.clientId, 0)
    expect(facts.map(({ round, event: { steps } }) => [round, steps])).toEqual([
      [0, 2],
      [1, 1],
    ])
  })
})

describe('the terms of a client', () => {
  it.each<[string, string, Partial<PrivacyTerms>]>([
    ['a sample rate that does not follow from the lot', 'MESSAGE_INVALID', { sampleRate: 0.01 }],
    ['a budget above the target', 'MESSAGE_INVALID', { budget: { epsilon: 9, delta: 1e-5 } }],
    ['a delta above the target', 'MESSAGE_INVALID', { budget: { epsilon: 8, delta: 1e-3 } }],
    ['a budget that buys no round', 'BUDGET_TOO_SMALL', { budget: { epsilon: 0.01, delta: 1e-5 } }],
    ['more records than delta allows', 'DELTA_TOO_LARGE', { declaredRecords: 200_000 }],
  ])('are refused, and said to be: %s', async (_, code, terms) => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1 })
    const client = await coordinator.client('site', { terms })
    await client.connect()
    const { alerts, clients } = await coordinator.seen(runId, 'the alert', (snapshot) => snapshot.alerts.length === 1)
    expect(alerts[0]!.code).toBe(code)
    expect(clients).toEqual([])
    await until('the news', () => client.ended.length === 1)
    expect(client.ended[0]!.reason).toMatch(new RegExp(`^${code}: expected`))
  })

  it('hold for the whole run: others later on are refused', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 2 })
    let noiseMultiplier = 2
    const client = await coordinator.client('site', {
      onOffer: (_, accept) => (accept.accepted ? { ...accept, terms: { ...accept.terms, noiseMultiplier } } : accept),
    })
    await client.connect()
    await coordinator.seen(runId, 'the participant', ({ clients }) => clients.length === 1)
    client.disconnect()
    noiseMultiplier = 1
    await client.connect()
    const { alerts } = await coordinator.seen(runId, 'the alert', (snapshot) => snapshot.alerts.length === 1)
    expect(alerts[0]!.code).toBe('TERMS_CHANGED')
    const [stored] = await coordinator.store.participants.ofRun(runId)
    expect(stored!.terms.noiseMultiplier).toBe(2)
  })
})

describe('the two records of one spending', () => {
  /** A run whose first round the client has delivered, and whose second it is invited to. */
  async function afterOneRound(coordinator: TestCoordinator) {
    const manifest = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 3 })
    const client = await coordinator.client('site', {
      train: async (self, invitation) => {
        if (invitation.round === 0) await self.upload(invitation)
      },
    })
    await client.connect()
    await until('the second invitation', () => client.invitations.length === 2)
    const event = eventOf(client, manifest)
    const steps = async () => (await coordinator.snapshot(manifest.runId)).clients[0]!.steps
    return { client, manifest, event, steps, runId: manifest.runId }
  }

  it('agree when the client holds what it delivered, whether or not it has begun the open round', async () => {
    await using coordinator = await testCoordinator()
    const { client, runId, event, steps } = await afterOneRound(coordinator)
    const first = { round: 0, attempt: 1, event }
    expect(await client.report({ runId, reservations: [first] })).toEqual({ agrees: true })
    expect(await client.report({ runId, reservations: [first, { ...first, round: 1 }] })).toEqual({ agrees: true })
    expect(await client.report({ runId, since: 1, reservations: [{ ...first, round: 1 }] })).toEqual({ agrees: true })
    expect(await steps()).toBe(4) // two invitations of two steps: nothing is counted twice
  })

  it('agree on what only the client knew: reservations that a crash burnt are counted from then on', async () => {
    await using coordinator = await testCoordinator()
    const { client, runId, event, steps } = await afterOneRound(coordinator)
    const attempts = [1, 2, 3].map((attempt) => ({ round: 0, attempt, event }))
    expect(await client.report({ runId, reservations: attempts })).toEqual({ agrees: true })
    expect(await steps()).toBe(4 + 2 * 2)
    expect((await client.report({ runId, reservations: attempts })).agrees).toBe(true)
    expect(await steps()).toBe(8)
  })

  it.each<[string, (event: Event) => LedgerReport['reservations'], RegExp]>([
    [
      'a delivered round is missing',
      () => [],
      /round 1: an update was accepted that the client's ledger does not hold/,
    ],
    [
      'the event is another one',
      (event) => [{ round: 0, attempt: 1, event: { ...event, noiseMultiplier: 1 } }],
      /round 1, attempt 1: the event is not the one that the terms give/,
    ],
  ])('disagree, with an alert, when %s', async (_, reservations, got) => {
    await using coordinator = await testCoordinator()
    const { client, runId, event } = await afterOneRound(coordinator)
    const reply = await client.report({ runId, reservations: reservations(event) })
    expect(reply).toMatchObject({ agrees: false, error: { code: 'LEDGER_MISMATCH', got: expect.stringMatching(got) } })
    const { alerts } = await coordinator.snapshot(runId)
    expect(alerts).toMatchObject([{ code: 'LEDGER_MISMATCH' }])
  })

  it('disagree when the client forgets what it reported before, and the fact stays counted', async () => {
    await using coordinator = await testCoordinator()
    const { client, runId, event, steps } = await afterOneRound(coordinator)
    const first = { round: 0, attempt: 1, event }
    await client.report({ runId, reservations: [first, { ...first, attempt: 2 }] })
    const reply = await client.report({ runId, reservations: [first] })
    expect(reply.error?.got).toMatch(/round 1, attempt 2: the client reported it before and no longer does/)
    expect(await steps()).toBe(6)
  })

  it('counts a reservation that the client made although it refused', async () => {
    await using coordinator = await testCoordinator()
    const manifest = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1 })
    const error = { code: 'LEDGER_LOCKED', expected: 'a', got: 'b', remedy: 'c' }
    const client = await coordinator.client('site', { onInvite: () => ({ accepted: false, error }) })
    await client.connect()
    const { runId } = manifest
    const refused = await coordinator.seen(runId, 'the refusal', ({ alerts }) => alerts.length === 1)
    expect(refused.clients[0]!.steps).toBe(0)
    await client.report({ runId, reservations: [{ round: 0, attempt: 1, event: eventOf(client, manifest) }] })
    expect((await coordinator.snapshot(runId)).clients[0]!.steps).toBe(2)
  })

  it('takes no report of a stranger, of nonsense, or of rounds that do not exist', async () => {
    await using coordinator = await testCoordinator()
    const { client, runId, event } = await afterOneRound(coordinator)
    const stranger = await coordinator.client('stranger', {
      onOffer: () => ({ accepted: false, error: { code: 'DATA_EMPTY', expected: 'a', got: 'b', remedy: 'c' } }),
    })
    await stranger.connect()
    expect((await stranger.report({ runId, reservations: [] })).error?.code).toBe('FORBIDDEN')
    expect((await client.report({ runId: 'run-1', reservations: [] })).error?.code).toBe('MESSAGE_INVALID')
    const beyond = [{ round: 3, attempt: 1, event }]
    expect((await client.report({ runId, reservations: beyond })).error?.code).toBe('MESSAGE_INVALID')
    const huge = [{ round: 1, attempt: 1, event: { ...event, steps: 2 ** 40 } }]
    expect((await client.report({ runId, reservations: huge })).error?.code).toBe('MESSAGE_INVALID')
  })
})
