import type { RunSnapshot } from '@fedsvd/core/protocol'
import { describe, expect, it } from 'vitest'
import { expectedRounds, givenShare, shortfallOf } from './remaining.ts'
import type { Client } from './run-facts.ts'
import { warningsOf } from './warnings.ts'

const NOW = Date.parse('2026-01-01T12:00:00Z')
const EARLIER = '2026-01-01T11:00:00Z'

function client(name: string, changes: Partial<Client> = {}): Client {
  return {
    clientId: name,
    name,
    connected: true,
    steps: 10,
    epsilonUpperBound: 4,
    delta: 1e-5,
    budget: 6,
    exhausted: false,
    roundsLeft: 5,
    unit: 'record',
    adversary: 'everyone',
    ...changes,
  }
}

/** A run of six rounds, in the second of which it is, unless something else is said. */
function run(changes: Partial<RunSnapshot> = {}): RunSnapshot {
  const manifest = { rounds: 6, quorum: 2, clientsPerRound: 2, deadlineSeconds: 60, localSteps: 5 }
  return {
    runId: 'run',
    name: 'a run',
    state: 'running',
    manifest: manifest as RunSnapshot['manifest'],
    roundsDone: 1,
    current: { round: 1, state: 'tasked', selected: [], received: [], openedAt: EARLIER, extensions: 0 },
    rounds: [],
    clients: [client('north', { roundsLeft: 4 }), client('south', { roundsLeft: 4 })],
    alerts: [],
    createdAt: EARLIER,
    ...changes,
  }
}

const textsOf = (snapshot: RunSnapshot) => warningsOf(snapshot, NOW).map(({ text }) => text)

describe('what an operator is warned of', () => {
  it('is not that a run spends what it was planned to spend', () => {
    const spent = { epsilonUpperBound: 5.99, exhausted: true, roundsLeft: 0 }
    expect(textsOf(run({ roundsDone: 5, clients: [client('north', spent)] }))).toEqual([])
    const { roundsLeft: _, ...record } = client('north', spent)
    expect(textsOf(run({ state: 'completed', current: undefined, roundsDone: 6, clients: [record] }))).toEqual([])
  })

  it('is by how many rounds a budget falls short of the plan, and of whom', () => {
    const clients = [client('north', { roundsLeft: 1 }), client('south', { roundsLeft: 4 }), client('east')]
    expect(textsOf(run({ clients, manifest: { ...run().manifest, clientsPerRound: 3 } }))).toEqual([
      'north will run out 3 rounds before the planned end',
    ])
    const gone = [client('north', { roundsLeft: 0, exhausted: true }), client('south', { roundsLeft: 4 })]
    expect(textsOf(run({ clients: gone }))).toEqual(['north: used up 4 rounds before the planned end'])
  })

  it('allows for sites that are not asked in every round', () => {
    const many = Array.from({ length: 4 }, (_, index) => client(`site ${index}`, { roundsLeft: 2 }))
    expect(expectedRounds(run({ clients: many }))).toBe(2) // 4 rounds ahead, 2 of 4 sites in each
    expect(textsOf(run({ clients: many }))).toEqual([])
  })

  it('is not the budget of a site that has left for another reason', () => {
    const away = client('north', { roundsLeft: 0, withdrawal: 'DATA_EMPTY' })
    expect(shortfallOf(run(), away)).toBe(0)
    expect(shortfallOf(run(), { ...away, withdrawal: 'BUDGET_EXHAUSTED' })).toBe(4)
  })

  it('is that a run cannot begin, and why', () => {
    const snapshot = run({
      state: 'waiting',
      current: undefined,
      roundsDone: 0,
      manifest: { ...run().manifest, quorum: 9, clientsPerRound: 9 },
      clients: [
        client('north'),
        client('south', { exhausted: true, roundsLeft: 6 }),
        client('east', { connected: false }),
      ],
    })
    expect(textsOf(snapshot)[0]).toMatch(/^1 of the 9 sites that a round needs can take part \(3 sites joined\)/)
    const justNow = new Date(NOW - 1000).toISOString()
    expect(warningsOf({ ...snapshot, createdAt: justNow }, NOW).map(({ kind }) => kind)).not.toContain('waiting')
    expect(textsOf({ ...snapshot, state: 'paused' }).filter((text) => text.includes('a round needs'))).toEqual([])
  })

  it('tells one stall once', () => {
    const alert = { code: 'QUORUM_MISSED', at: '2026-01-01T11:30:00Z', message: 'round 2 had 0 of 2 updates' }
    const stalled = run({ current: { ...run().current!, extensions: 1 }, alerts: [alert] })
    expect(textsOf(stalled)).toEqual(['Round 2 is stalled: its deadline has passed with 0 of 2 updates needed'])
    const before = { ...alert, at: '2026-01-01T10:00:00Z', message: 'round 1 had 1 of 2 updates' }
    expect(textsOf({ ...stalled, alerts: [before, alert] })).toHaveLength(2)
    const waiting = run({ current: undefined, clients: [], alerts: [alert] })
    expect(textsOf(waiting)).toHaveLength(1)
  })

  it('names the site of an alert, one that was refused and takes no part as well', () => {
    const refused = {
      code: 'BUDGET_TOO_SMALL',
      at: EARLIER,
      message: 'too small',
      clientId: 'x',
      clientName: 'poor site',
    }
    expect(warningsOf(run({ alerts: [refused] }), NOW)).toMatchObject([
      { kind: 'refused', text: 'poor site: too small' },
    ])
  })
})

it('bars are as long as the share of rounds that is given, not of epsilon', () => {
  const first = client('north', { steps: 5, roundsLeft: 5, epsilonUpperBound: 3.36 }) // 56 % of 6
  expect(givenShare(run(), first)).toBeCloseTo(1 / 6, 10)
  const { roundsLeft: _, ...record } = first
  expect(givenShare(run(), record)).toBeCloseTo(0.56, 10)
  expect(givenShare(run(), client('new', { steps: 0, roundsLeft: 0 }))).toBe(0)
})
