import type { PrivacyEvent } from '@fedsvd/core/accounting'
import { describe, expect, it } from 'vitest'
import type { KnownSpending, PrivacyFact } from '../storage/records/index.ts'
import { MOST_REPEATS, reconcile } from './reconcile.ts'

const ROUND: PrivacyEvent = {
  mechanism: 'poisson-subsampled-gaussian',
  sampleRate: 0.1,
  noiseMultiplier: 2,
  steps: 5,
  clipNorm: 1,
  relation: 'add-or-remove-one',
  unit: 'record',
}
const runId = '11111111-1111-4111-8111-111111111111'

/** What is said of reservations of round 1, given as [attempt, changes of the event]. */
const said = (...reservations: [number, Partial<PrivacyEvent>][]) =>
  reconcile({
    report: {
      runId,
      reservations: reservations.map(([attempt, changes]) => ({ round: 0, attempt, event: { ...ROUND, ...changes } })),
    },
    clientId: 'a client',
    known: { facts: [], delivered: [], stepsAhead: 0 },
    agreed: ROUND,
    begun: 1,
    stepsAhead: 0,
    now: 0,
  })

/** The same for whole reports, of a run of which two rounds have begun. */
const told = (
  reservations: [round: number, attempt: number, changes?: Partial<PrivacyEvent>][],
  { stepsAhead = 0, since }: { stepsAhead?: number; since?: number } = {},
) =>
  reconcile({
    report: {
      runId,
      ...(since !== undefined && { since }),
      reservations: reservations.map(([round, attempt, changes]) => ({
        round,
        attempt,
        event: { ...ROUND, ...changes },
      })),
    },
    clientId: 'a client',
    known: { facts: [], delivered: [], stepsAhead },
    agreed: ROUND,
    begun: 2,
    stepsAhead,
    now: 0,
  })

describe('facts that are not owed', () => {
  it.each<[string, [number, number, Partial<PrivacyEvent>?][]]>([
    ['another event', [[0, 1, { noiseMultiplier: 1.9 }]]],
    ['an attempt without the one before it', [[0, 3]]],
    ['more steps than the round has', [[0, 1, { steps: 6 }]]],
  ])('are a disagreement and nothing more: %s', (_, reservations) => {
    const { adopt, stepsAhead, disagreements } = told(reservations)
    expect({ adopt, stepsAhead }).toEqual({ adopt: [], stepsAhead: 0 })
    expect(disagreements).toHaveLength(1)
  })

  it('count once when they are said twice', () => {
    const { adopt, disagreements } = told([
      [0, 1],
      [0, 1],
    ])
    expect(adopt).toHaveLength(1)
    expect(disagreements).toEqual(['round 1, attempt 1: it is reported twice'])
  })

  it('are those beyond what crashes can explain: no more attempts are taken over', () => {
    const many = Array.from({ length: 2 }, (_, round) =>
      Array.from({ length: 900 }, (_value, index): [number, number] => [round, index + 1]),
    ).flat()
    const { adopt, disagreements } = told(many)
    expect(adopt.filter(({ attempt }) => attempt > 1)).toHaveLength(MOST_REPEATS)
    expect(disagreements).toEqual(['798 attempts more than the 1000 repeated ones of a run'])
  })
})

describe('what the coordinator has proof of', () => {
  /** What a client that reports these rounds is told, where the coordinator knows of facts and accepted updates. */
  const disagreementsOf = (rounds: readonly number[], known: Partial<KnownSpending>) =>
    reconcile({
      report: { runId, reservations: rounds.map((round) => ({ round, attempt: 1, event: ROUND })) },
      clientId: 'a client',
      known: { facts: [], delivered: [], stepsAhead: 0, ...known },
      agreed: ROUND,
      begun: 2,
      stepsAhead: 0,
      now: 0,
    }).disagreements
  const fact = (changes: Partial<PrivacyFact> = {}): PrivacyFact => ({
    runId,
    round: 0,
    clientId: 'a client',
    attempt: 1,
    event: ROUND,
    source: 'client',
    voided: false,
    recordedAt: 0,
    ...changes,
  })

  it('is in an honest ledger: rounds whose updates were accepted', () => {
    expect(disagreementsOf([0, 1], { delivered: [0, 1] })).toEqual([])
    expect(disagreementsOf([1], { delivered: [0, 1] })).toEqual([
      "round 1: an update was accepted that the client's ledger does not hold",
    ])
  })

  it('is in an honest ledger: what the client reported before', () => {
    expect(disagreementsOf([0], { facts: [fact()] })).toEqual([])
    expect(disagreementsOf([1], { facts: [fact()] })).toEqual([
      'round 1, attempt 1: the client reported it before and no longer does',
    ])
  })

  it.each<[string, Partial<PrivacyFact>]>([
    ['was set aside by an operator', { quarantinedAt: 1 }],
    ['was voided, for the client never began', { voided: true }],
    ['the coordinator counted by itself', { source: 'coordinator' }],
  ])('need not be in it where it %s', (_, changes) => {
    expect(disagreementsOf([1], { facts: [fact(changes)] })).toEqual([])
  })
})

describe('rounds that have not begun', () => {
  it('are one number, and become facts when they begin', () => {
    const { adopt, stepsAhead, disagreements } = told([
      [1, 1],
      [2, 1],
      [3, 1],
      [3, 2, { steps: 1 }],
    ])
    expect(adopt.map(({ round }) => round)).toEqual([1])
    expect(stepsAhead).toBe(5 + 5 + 1)
    expect(disagreements).toEqual([])
    expect(told([[1, 1], [2, 1]], { stepsAhead: 10 })).toMatchObject({ stepsAhead: 5, disagreements: [] }) // biome-ignore format: pairs
  })

  it('stay charged where a report begins behind them, or leaves them out', () => {
    expect(told([[3, 1]], { stepsAhead: 11, since: 3 })).toMatchObject({ stepsAhead: 11, disagreements: [] })
    const forgotten = told([[0, 1]], { stepsAhead: 11 })
    expect(forgotten.stepsAhead).toBe(11)
    expect(forgotten.disagreements).toEqual([
      'the client reported reservations of rounds to come before and no longer does',
    ])
  })
})

describe('reservations of a round', () => {
  it('of a whole round, and of one step where a later attempt goes on, are what the terms give', () => {
    expect(said([1, {}], [2, { steps: 1 }], [3, {}], [4, { steps: 1 }]).disagreements).toEqual([])
  })

  it('are all adopted with the steps that they have', () => {
    const { adopt } = said([1, {}], [2, { steps: 1 }])
    expect(adopt.map(({ attempt, event }) => [attempt, event.steps])).toEqual([
      [1, 5],
      [2, 1],
    ])
  })

  it.each<[string, [number, Partial<PrivacyEvent>]]>([
    ['a first attempt of more steps than a round', [1, { steps: 1000 }]],
    ['a later attempt of two steps', [2, { steps: 2 }]],
    ['one step with less noise', [2, { steps: 1, noiseMultiplier: 1 }]],
    ['one step at another rate', [2, { steps: 1, sampleRate: 0.2 }]],
    ['a round with less noise', [2, { noiseMultiplier: 1 }]],
  ])('%s is none', (_, reservation) => {
    expect(said(reservation).disagreements).toHaveLength(1)
  })
})
