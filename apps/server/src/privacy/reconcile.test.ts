import type { PrivacyEvent } from '@fedsvd/core/accounting'
import { describe, expect, it } from 'vitest'
import { reconcile } from './reconcile.ts'

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

/** What is said of reservations of round 0, given as [attempt, changes of the event]. */
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
    ['a first attempt of one step', [1, { steps: 1 }]],
    ['a later attempt of two steps', [2, { steps: 2 }]],
    ['one step with less noise', [2, { steps: 1, noiseMultiplier: 1 }]],
    ['one step at another rate', [2, { steps: 1, sampleRate: 0.2 }]],
    ['a round with less noise', [2, { noiseMultiplier: 1 }]],
  ])('%s is none', (_, reservation) => {
    expect(said(reservation).disagreements).toHaveLength(1)
  })
})
