import { BUDGET, FINGERPRINT, RUN_A, sampleBound } from '@fedsvd/testing/client/sample-run'
import { describe, expect, it } from 'vitest'
import type { LedgerFact } from './entry.ts'
import { outcomeOf } from './outcome.ts'
import { advance } from './replay.ts'
import type { LedgerState } from './state.ts'

const { event } = sampleBound() // five steps a round
const hash = 'ab'.repeat(32)
const key = (attempt: number, round = 0) => ({ runId: RUN_A, round, attempt })
const reserved = (attempt: number, resumes?: { attempt: number; step: number }): LedgerFact => {
  const charged = resumes ? { ...event, steps: 1 } : event
  return { kind: 'reserved', ...key(attempt), event: charged, stepwise: true, ...(resumes && { resumes }) }
}
const stepped = (attempt: number, step: number): LedgerFact => {
  return { kind: 'stepped', ...key(attempt), step, savedSha256: hash }
}

function outcomesAfter(...facts: LedgerFact[]): readonly string[] {
  const all: LedgerFact[] = [
    { kind: 'opened', format: 1, fingerprint: FINGERPRINT, budget: BUDGET },
    { kind: 'bound', ...sampleBound() },
    ...facts,
  ]
  const state = all.reduce<LedgerState | undefined>((known, fact, line) => advance(known, fact, line), undefined)!
  return state.attempts.map((attempt) => outcomeOf(state, attempt))
}

describe('what became of an attempt', () => {
  it('one that a later one goes on from broke off, and says where', () => {
    const broken = [reserved(1), stepped(1, 1), stepped(1, 2), reserved(2, { attempt: 1, step: 2 })]
    const finished: LedgerFact = { kind: 'finished', ...key(2), frameSha256: hash }
    const accepted: LedgerFact = { kind: 'acknowledged', ...key(2), frameSha256: hash, outcome: 'accepted' }
    const first = 'broke off with 2 steps kept, continued by attempt 2'
    expect(outcomesAfter(...broken)).toEqual([first, '2 of 5 steps kept, no result yet'])
    expect(outcomesAfter(...broken, finished)).toEqual([first, 'not delivered yet'])
    expect(outcomesAfter(...broken, finished, accepted)).toEqual([first, 'accepted'])
  })

  it('each of a chain names the one after it', () => {
    const second = [reserved(2, { attempt: 1, step: 0 }), stepped(2, 1)]
    const third = [reserved(3, { attempt: 2, step: 1 }), stepped(3, 2)]
    expect(outcomesAfter(reserved(1), ...second, ...third)).toEqual([
      'broke off with 0 steps kept, continued by attempt 2',
      'broke off with 1 step kept, continued by attempt 3',
      '2 of 5 steps kept, no result yet',
    ])
  })

  it('one whose round was begun anew is given up', () => {
    expect(outcomesAfter(reserved(1), stepped(1, 1), reserved(2))).toEqual([
      'given up, begun anew by attempt 2',
      'no result yet',
    ])
  })
})
