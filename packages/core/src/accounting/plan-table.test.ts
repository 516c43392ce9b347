import { describe, expect, it } from 'vitest'
import { filterOf } from './filter.ts'
import { laterRule, planTable } from './plan-table.ts'
import { pld } from './pld.ts'
import { rdp } from './rdp.ts'
import { scheduledSteps } from './spare-steps.ts'

const question = { epsilon: 6, delta: 1e-5, sampleRate: 0.02, stepsPerRound: 10 }

describe('planTable', () => {
  const rows = planTable({ ...question, rounds: [10, 50, 100], noiseMultipliers: [0.6, 1, 2] })

  it('answers in the order of the question, each row inside the budget and close to it', () => {
    expect(rows.map((row) => row.solvedFor)).toEqual([...Array(3).fill('noiseMultiplier'), ...Array(3).fill('rounds')])
    expect(rows.slice(0, 3).map((row) => row.rounds)).toEqual([10, 50, 100])
    expect(rows.slice(3).map((row) => row.noiseMultiplier)).toEqual([0.6, 1, 2])
    for (const row of rows) {
      expect(row.steps).toBe(10 * row.rounds)
      expect(row.epsilonPld).toBeLessThanOrEqual(6)
      expect(row.epsilonPld).toBeLessThan(row.epsilonRdp)
      const event = { sampleRate: 0.02, noiseMultiplier: row.noiseMultiplier, steps: row.steps }
      expect(row.epsilonPld).toBe(pld.epsilonUpperBound([event], 1e-5))
      expect(row.epsilonRdp).toBe(rdp.epsilonUpperBound([event], 1e-5))
      const withSpares = (rounds: number) => {
        const steps = scheduledSteps({ rounds, localSteps: 10 })
        return pld.epsilonUpperBound([{ ...event, steps }], 1e-5)
      }
      expect(row.spareSteps).toBe(Math.ceil(row.steps / 50))
      expect(withSpares(row.rounds)).toBeLessThanOrEqual(6)
      if (row.solvedFor === 'rounds') expect(withSpares(row.rounds + 1)).toBeGreaterThan(6)
      else expect(withSpares(row.rounds)).toBeGreaterThan(6 * 0.999)
    }
  })

  it('shows the trade: more rounds take more noise, more noise allows more rounds', () => {
    const noise = rows.slice(0, 3).map((row) => row.noiseMultiplier)
    expect([...noise].sort((a, b) => a - b)).toEqual(noise)
    const rounds = rows.slice(3).map((row) => row.rounds)
    expect([...rounds].sort((a, b) => a - b)).toEqual(rounds)
  })

  it('solves by Renyi DP when told to, which takes more noise', () => {
    const [careful] = planTable({ ...question, rounds: [50], accountant: rdp })
    expect(careful?.epsilonRdp).toBeLessThanOrEqual(6)
    expect(careful?.noiseMultiplier).toBeGreaterThan(rows[1]?.noiseMultiplier as number)
  })

  it('prices a later run by the filter, which takes more noise than PLD of all events would', () => {
    const prior = [{ sampleRate: 0.02, noiseMultiplier: 1, steps: 100 }]
    const [row] = planTable({ ...question, prior, rounds: [50] })
    const [asIfFixed] = planTable({ ...question, prior, rounds: [50], accountant: pld })
    const filter = filterOf(laterRule(prior, question)!)
    const event = { sampleRate: 0.02, noiseMultiplier: row!.noiseMultiplier, steps: 500 }
    const withSpares = [...prior, { ...event, steps: 510 }]
    expect(row!.epsilonFilter).toBe(filter.epsilonUpperBound([...prior, event], 1e-5))
    expect(filter.epsilonUpperBound(withSpares, 1e-5)).toBeGreaterThan(6 * 0.999)
    expect(filter.allows(withSpares, question)).toBe(true)
    expect(row!.noiseMultiplier).toBeGreaterThan(asIfFixed!.noiseMultiplier)
    expect([asIfFixed, rows[0]].map((one) => one!.epsilonFilter)).toEqual([undefined, undefined])
    expect(laterRule([], question)).toBeUndefined()
  })

  it('shows a row of 0 rounds, at the price of the prior, for noise that the budget does not buy once', () => {
    const prior = [{ sampleRate: 0.02, noiseMultiplier: 1, steps: 100 }]
    const [row] = planTable({ ...question, epsilon: 1.5, prior, noiseMultipliers: [0.5] })
    expect(row).toMatchObject({ rounds: 0, steps: 0, spareSteps: 0, epsilonPld: pld.epsilonUpperBound(prior, 1e-5) })
  })

  it('refuses an empty question and a broken one', () => {
    expect(() => planTable(question)).toThrowError(/^CONFIG_INVALID/)
    expect(() => planTable({ ...question, rounds: [0] })).toThrowError(/^CONFIG_INVALID/)
    expect(() => planTable({ ...question, noiseMultipliers: [0] })).toThrowError(/^NOISE_INVALID/)
    expect(() => planTable({ ...question, stepsPerRound: 0.5, rounds: [3] })).toThrowError(/^CONFIG_INVALID/)
  })
})
