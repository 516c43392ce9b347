import { expect, it } from 'vitest'
import { calibrateNoiseMultiplier, stepsAffordable } from './calibrate.ts'
import { bestOrder, filterOf } from './filter.ts'

it('spends what is left, and not a thousandth of the whole budget short of it, where nearly all is spent', () => {
  const budget = { epsilon: 6, delta: 1e-5 }
  const mechanism = { sampleRate: 0.1, noiseMultiplier: 1 }
  const accountant = filterOf({ kind: 'renyi', order: bestOrder([{ ...mechanism, steps: 1 }], budget) })
  const upTo = { ...budget, epsilon: 5.994, accountant, ...mechanism }
  const prior = [{ ...mechanism, steps: stepsAffordable(upTo) }]
  const rest = calibrateNoiseMultiplier({ ...upTo, prior, steps: 1 })
  const spent = [...prior, { sampleRate: 0.1, noiseMultiplier: rest, steps: 1 }]
  const charged = accountant.epsilonUpperBound(spent, budget.delta)
  expect(charged).toBeCloseTo(5.994, 3)
  const shape = { sampleRate: 0.1, steps: 51 }
  const noiseMultiplier = calibrateNoiseMultiplier({ ...budget, ...shape, prior: spent, accountant })
  const left = budget.epsilon - accountant.epsilonUpperBound([...spent, { ...shape, noiseMultiplier }], budget.delta)
  expect(left).toBeGreaterThanOrEqual(0)
  expect(left).toBeLessThan(0.002 * (budget.epsilon - charged))
})
