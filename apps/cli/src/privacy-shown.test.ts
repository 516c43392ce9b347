import type { RunSnapshot } from '@fedsvd/core/protocol'
import { describe, expect, it } from 'vitest'
import { summarise, summaryText } from './demo/report.ts'
import { statementsOf } from './export-run.ts'

const record = { epsilonUpperBound: 5.5, delta: 1e-5, budget: 6, exhausted: false, unit: 'record' as const }
const client = { epsilonUpperBound: 7.25, delta: 1e-6, budget: 8, exhausted: false, unit: 'client' as const }
const site = { clientId: 'id', name: 'site', connected: true, steps: 48, ...record, adversary: 'all but itself' }
const both = { ...site, clientLevel: { ...client, draws: 12, adversary: 'all but the coordinator' } }
const snapshot = (clients: RunSnapshot['clients']) => ({ clients, rounds: [], roundsDone: 12, runId: 'run' }) as never

describe('wherever an epsilon is shown', () => {
  it('an export says for each its unit, relation and adversary', () => {
    expect(statementsOf({ clients: [both] })).toEqual([
      {
        name: 'site',
        epsilonUpperBound: 5.5,
        budget: 6,
        delta: 1e-5,
        unit: 'record',
        relation: 'add-or-remove-one',
        adversary: 'all but itself',
      },
      {
        name: 'site',
        epsilonUpperBound: 7.25,
        budget: 8,
        delta: 1e-6,
        unit: 'client',
        relation: 'add-or-remove-one',
        adversary: 'all but the coordinator',
      },
    ])
    expect(statementsOf({ clients: [site] })).toHaveLength(1)
  })

  it('a table has a row for each unit, and says against whom under it', () => {
    const text = summaryText(summarise(snapshot([both]), 'folder', 1))
    expect(text).toMatch(/site +record +5\.500 +6 +1e-5 +48/)
    expect(text).toMatch(/site +client +7\.250 +8 +1e-6 +12/)
    expect(text).toMatch(/record: all but itself\n +client: all but the coordinator/)
    expect(summaryText(summarise(snapshot([site]), 'folder', 1))).not.toMatch(/client:/)
  })
})
