import { filterOf, pld } from '@fedsvd/core/accounting'
import { describe, expect, it } from 'vitest'
import { burnDown } from './answers.ts'
import type { BurnDownQuestion } from './questions.ts'

const NEXT = { sampleRate: 0.1, noiseMultiplier: 2, steps: 2 }
const ELSEWHERE = [{ sampleRate: 0.05, noiseMultiplier: 1, steps: 20 }]
const RULE = { kind: 'renyi', order: 6 } as const

function roundsLeft(cap: BurnDownQuestion['cap']) {
  const question = {
    spent: [],
    next: NEXT,
    budget: { epsilon: 8, delta: 1e-5 },
    roundsDone: 0,
    rounds: 20,
    isBrief: true,
  }
  return burnDown({ ...question, ...(cap && { cap }) })
}

describe('when a budget runs out', () => {
  const after = (rounds: number) => [...ELSEWHERE, { ...NEXT, steps: rounds * NEXT.steps }]

  it('is decided for a cap by the filter by which the coordinator holds it', () => {
    const of = (rounds: number) => filterOf(RULE).epsilonUpperBound(after(rounds), 1e-5)
    const epsilon = (of(7) + of(8)) / 2
    expect(pld.epsilonUpperBound(after(8), 1e-5)).toBeLessThan(epsilon) // PLD would ask once more
    const cap = { epsilon, delta: 1e-5, elsewhere: ELSEWHERE }
    expect(roundsLeft({ ...cap, rule: RULE })).toMatchObject({ roundsLeft: 7, runsOutAt: 7, isByCap: true })
    expect(roundsLeft({ ...cap, rule: { kind: 'schedule', ...ELSEWHERE[0]! } }).roundsLeft).toBe(0)
    expect(roundsLeft(cap).roundsLeft).toBe(0)
    expect(roundsLeft(undefined).roundsLeft).toBe(20)
  })
})
