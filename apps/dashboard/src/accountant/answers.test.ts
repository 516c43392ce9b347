import { filterOf, laterRule, mergeEvents, planTable, pld, scheduledSteps } from '@fedsvd/core/accounting'
import { describe, expect, it } from 'vitest'
import { burnDown, plan } from './answers.ts'
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

describe('the curve of a client', () => {
  it('ends on the number of the coordinator, bit for bit, and the projection begins there', () => {
    const spent = Array.from({ length: 7 }, (_, round) => ({ ...NEXT, round }))
    const budget = { epsilon: 8, delta: 1e-5 }
    const { points, projection } = burnDown({ spent, next: NEXT, budget, roundsDone: 7, rounds: 20 })
    const shown = pld.epsilonUpperBound(mergeEvents(spent), budget.delta)
    expect(points.at(-1)).toEqual([6, shown])
    expect(projection[0]).toEqual([6, shown])
    const appended = spent.reduce((account, event) => pld.append(account, event), pld.init(budget.delta))
    expect(pld.epsilon(appended)).not.toBe(shown) // what the curve showed before
  })
})

describe('what a plan costs', () => {
  const plain = { budget: { epsilon: 6, delta: 1e-5 }, sampleRate: 0.0853, localSteps: 2, rounds: 15 }

  it('is PLD for a first run, and the filter for later ones, which takes more noise', () => {
    const [first, fifth] = [plan(plain), plan({ ...plain, earlierRuns: 4 })]
    expect(first).not.toHaveProperty('epsilonFilter')
    const event = { sampleRate: 0.0853, noiseMultiplier: fifth.noiseMultiplier, steps: 150 }
    const withSpare = { ...event, steps: 151 }
    const filter = filterOf(laterRule([event], plain.budget)!)
    expect(filter.allows([withSpare], plain.budget)).toBe(true)
    expect(fifth.epsilonFilter).toBe(filter.epsilonUpperBound([event], 1e-5))
    expect(filter.epsilonUpperBound([withSpare], 1e-5)).toBeGreaterThan(6 * 0.999)
    const asIfFixed = plan({ ...plain, rounds: 75 })
    expect(fifth.noiseMultiplier).toBeGreaterThan(asIfFixed.noiseMultiplier * 1.03)
    expect(plan({ ...plain, noiseMultiplier: fifth.noiseMultiplier, earlierRuns: 4 }).roundsAffordable).toBe(15)
  })

  it('is the same as fedsvd plan and a client say, who calibrate for a spare step too', () => {
    const { budget, localSteps: stepsPerRound, ...rest } = plain
    const [row] = planTable({ ...budget, ...rest, stepsPerRound, rounds: [plain.rounds] })
    expect(plan(plain)).toMatchObject({
      noiseMultiplier: row!.noiseMultiplier,
      spareSteps: 1,
      epsilonPld: row!.epsilonPld,
    })
    const steps = scheduledSteps({ rounds: plain.rounds, localSteps: plain.localSteps })
    const event = { sampleRate: plain.sampleRate, noiseMultiplier: row!.noiseMultiplier, steps }
    expect(pld.epsilonUpperBound([event], 1e-5)).toBeGreaterThan(6 * 0.999)
    expect(plan({ ...plain, noiseMultiplier: row!.noiseMultiplier }).roundsAffordable).toBe(15)
  })
})
