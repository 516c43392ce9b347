import { composedDelta, gaussianDelta } from '@fedsvd/testing/core/accounting/exact'
import { gameDelta, type Move } from '@fedsvd/testing/core/adaptive-adversary'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { calibrateNoiseMultiplier, stepsAffordable } from './calibrate.ts'
import type { AccountedEvent } from './event.ts'
import { bestOrder, chooseRule, filterOf, type PrivacyFilter, scheduleRule } from './filter.ts'
import { pld } from './pld.ts'
import { RDP_ORDERS, rdp } from './rdp.ts'

const BUDGET = { epsilon: 6, delta: 1e-5 }
const FULL = { sampleRate: 1, noiseMultiplier: 1.2 }
const GAUSSIAN = filterOf({ kind: 'gaussian' })
const renyiFor = (first: Omit<AccountedEvent, 'steps'>) =>
  filterOf({ kind: 'renyi', order: bestOrder([{ ...first, steps: 1 }], BUDGET) })

const anEvent = fc.record({
  sampleRate: fc.double({ min: -3, max: 0, noNaN: true }).map((x) => 10 ** x),
  noiseMultiplier: fc.double({ min: -0.2, max: 1, noNaN: true }).map((x) => 10 ** x),
  steps: fc.integer({ min: 1, max: 100 }),
})
const events = fc.array(anEvent, { minLength: 1, maxLength: 5 })
const anOrder = fc.double({ min: -1, max: 2, noNaN: true }).map((x) => 1 + 10 ** x)

describe('the adversary that judges filters', () => {
  it('agrees with closed forms and contour integrals where nothing is left to choose', () => {
    const delta = (event: AccountedEvent, epsilon: number) => gameDelta([{ events: [event], next: [] }], epsilon)
    expect(delta({ ...FULL, steps: 1 }, 3) / gaussianDelta(1.2, 3)).toBeCloseTo(1, 4)
    for (const event of [
      { sampleRate: 0.05, noiseMultiplier: 0.6, steps: 20 },
      { sampleRate: 0.3, noiseMultiplier: 1.1, steps: 7 },
    ]) {
      expect(delta(event, 2) / composedDelta([event], 2, 1)).toBeCloseTo(1, 3)
    }
  })

  it('sees one mechanism cut into turns as it sees the whole', () => {
    const step = { ...FULL, noiseMultiplier: 2.4, steps: 1 }
    const turns: readonly Move[] = [
      { events: [step], next: [{ events: [step], next: [{ events: [step], next: [] }] }] },
    ]
    const whole = gameDelta([{ events: [{ ...step, steps: 3 }], next: [] }], 2)
    expect(gameDelta(turns, 2) / whole).toBeCloseTo(1, 3)
  })
})

/** What the adversary asks for once it has seen results; its noise is the least that the rule admits. */
const SHAPES = [
  { sampleRate: 1, steps: 1 },
  { sampleRate: 0.001, steps: 10 },
  { sampleRate: 0.05, steps: 20 },
]

type Rule = (events: readonly AccountedEvent[], epsilon: number) => boolean

/**
 * The shape with the least noise with which everything together is still admitted at `epsilon`: none where nothing is.
 */
function landing(rule: Rule, past: readonly AccountedEvent[], shape: (typeof SHAPES)[number], epsilon: number) {
  const at = (log: number): AccountedEvent => ({ ...shape, noiseMultiplier: Math.exp(log) })
  const admits = (log: number) => rule([...past, at(log)], epsilon)
  let [low, high] = [Math.log(0.05), Math.log(200)]
  if (!admits(high)) return []
  while (high - low > 1e-4) {
    const middle = (low + high) / 2
    if (admits(middle)) high = middle
    else low = middle
  }
  return [at(high)]
}

/**
 * Each later run takes any of the shapes and lands on the next of these epsilons, the last one the budget. A filter's
 * account is then the same whatever was taken, so the game goes on from one history for all.
 */
function game(rule: Rule, past: readonly AccountedEvent[], [epsilon, ...later]: readonly number[]): readonly Move[] {
  if (epsilon === undefined) return []
  const moves = SHAPES.flatMap((shape) => landing(rule, past, shape, epsilon))
  const next = moves[0] === undefined ? [] : game(rule, [...past, moves[0]], later)
  return moves.map((event) => ({ events: [event], next }))
}

/** The true delta at the budget's epsilon when the adversary plays runs after `first` that the rule admits. */
function trueDelta(rule: Rule, first: AccountedEvent, landings: readonly number[]): number {
  return gameDelta([{ events: [first], next: game(rule, [first], landings) }], BUDGET.epsilon)
}

/**
 * The same when the first run's steps come one by one, and after each one the adversary may leave it for another run.
 */
function trueDeltaOfLeaving(rule: Rule, step: AccountedEvent, steps: number): number {
  const from = (done: number): readonly Move[] => {
    const past = Array.from({ length: done }, () => step)
    const leave = done === 0 ? [] : game(rule, past, [BUDGET.epsilon])
    return done === steps ? leave : [...leave, { events: [step], next: from(done + 1) }]
  }
  return gameDelta(from(0), BUDGET.epsilon)
}

const LATTICE = 1 + 1e-3 // what the lattice of the adversary may add
const eitherRule: Rule = (all, epsilon) =>
  rdp.epsilonUpperBound(all, BUDGET.delta) <= epsilon || pld.epsilonUpperBound(all, BUDGET.delta) <= epsilon
const ruleOf =
  (filter: PrivacyFilter): Rule =>
  (all, epsilon) =>
    filter.allows(all, { ...BUDGET, epsilon })

describe('an adversary who chooses the next run by what came back', () => {
  const first = { ...FULL, steps: 1 }

  it('gets more than the budget where each event is asked "PLD or RDP?", which is why that is no filter', () => {
    expect(trueDelta(eitherRule, first, [6])).toBeGreaterThan(1.7 * BUDGET.delta)
  })

  it.each([
    ['two runs', [6]],
    ['four runs', [4.8, 5.4, 6]],
    ['six runs', [4.6, 5, 5.3, 5.7, 6]],
    ['twelve runs', [4.5, 4.6, 4.8, 4.9, 5, 5.2, 5.4, 5.5, 5.7, 5.9, 6]],
  ])('gets no more than the budget out of a filter: %s', (_, landings) => {
    for (const filter of [renyiFor(FULL), GAUSSIAN]) {
      expect(trueDelta(ruleOf(filter), first, landings)).toBeLessThanOrEqual(BUDGET.delta * LATTICE)
    }
  })

  it('gets no more than the budget by leaving the first run early', () => {
    const step = { sampleRate: 1, noiseMultiplier: 1.2 * Math.sqrt(6), steps: 1 }
    for (const filter of [renyiFor(step), GAUSSIAN]) {
      expect(trueDeltaOfLeaving(ruleOf(filter), step, 6)).toBeLessThanOrEqual(BUDGET.delta * LATTICE)
    }
    const sampled = { sampleRate: 0.05, noiseMultiplier: 0.7, steps: 5 }
    expect(trueDeltaOfLeaving(ruleOf(renyiFor(sampled)), sampled, 6)).toBeLessThanOrEqual(BUDGET.delta * LATTICE)
  })

  it('gets what the budget says, and no less, out of the Gaussian filter over full batches: it loses nothing', () => {
    expect(trueDelta(ruleOf(GAUSSIAN), first, [5, 6])).toBeGreaterThan(BUDGET.delta * 0.99)
  })
})

describe('a filter as an accountant', () => {
  it('is never below what is exact for a schedule: PLD of the same events', () => {
    fc.assert(
      fc.property(events, anOrder, (all, order) => {
        const odometer = pld.epsilonUpperBound(all, BUDGET.delta)
        for (const filter of [filterOf({ kind: 'renyi', order }), GAUSSIAN]) {
          expect(filter.epsilonUpperBound(all, BUDGET.delta)).toBeGreaterThanOrEqual(odometer * (1 - 2e-3))
        }
      }),
      { numRuns: 20 },
    )
  })

  it('is what RDP says at its best order, when it is asked at that order', () => {
    const demo = { sampleRate: 0.0853, noiseMultiplier: 0.9, steps: 30 }
    const best = Math.min(
      ...RDP_ORDERS.map((order) => filterOf({ kind: 'renyi', order }).epsilonUpperBound([demo], 1e-5)),
    )
    expect(best).toBeCloseTo(rdp.epsilonUpperBound([demo], 1e-5), 9)
  })

  it('is exact for Gaussians: n steps of sqrt(n) times the noise are one step', () => {
    const at = (steps: number) => [{ sampleRate: 1, noiseMultiplier: 1.3 * Math.sqrt(steps), steps }]
    for (const steps of [1, 7, 1000]) {
      const epsilon = GAUSSIAN.epsilonUpperBound(at(steps), 1e-5)
      expect(gaussianDelta(1.3, epsilon)).toBeLessThanOrEqual(1e-5)
      expect(gaussianDelta(1.3, epsilon * 0.995)).toBeGreaterThan(1e-5)
    }
  })

  it('sees the multiset of steps, charges nothing for nothing, and grows as it reads', () => {
    for (const filter of [renyiFor(FULL), GAUSSIAN, filterOf(scheduleRule(FULL))]) {
      expect(filter.epsilonUpperBound([], 1e-5)).toBe(0)
      expect(filter.deltaUpperBound([], 1)).toBe(0)
      expect(filter.epsilon(filter.init(1e-5))).toBe(0)
      const [whole, apart] = [[{ ...FULL, steps: 4 }], [1, 2, 1].map((steps) => ({ ...FULL, steps }))]
      expect(filter.epsilonUpperBound(apart, 1e-5)).toBeCloseTo(filter.epsilonUpperBound(whole, 1e-5), 9)
      const grown = apart.reduce((account, event) => filter.append(account, event), filter.init(1e-5))
      expect(filter.epsilon(grown)).toBeCloseTo(filter.epsilonUpperBound(whole, 1e-5), 9)
    }
  })

  it('allows exactly what its own epsilon is within', () => {
    fc.assert(
      fc.property(events, anOrder, fc.double({ min: 0.1, max: 20, noNaN: true }), (all, order, epsilon) => {
        const filter = filterOf({ kind: 'renyi', order })
        expect(filter.allows(all, { epsilon, delta: 1e-5 })).toBe(filter.epsilonUpperBound(all, 1e-5) <= epsilon)
      }),
      { numRuns: 30 },
    )
  })

  it('allows the very last of its budget, and nothing beyond it', () => {
    const all = [{ ...FULL, steps: 4 }]
    for (const filter of [renyiFor(FULL), GAUSSIAN, filterOf(scheduleRule(FULL))]) {
      const epsilon = filter.epsilonUpperBound(all, BUDGET.delta)
      expect(filter.allows(all, { ...BUDGET, epsilon })).toBe(true)
      expect(filter.allows(all, { ...BUDGET, epsilon: epsilon * (1 - 1e-6) })).toBe(false)
    }
  })

  it('inverts: delta at its epsilon is the delta that it was asked for', () => {
    for (const filter of [renyiFor(FULL), GAUSSIAN, filterOf(scheduleRule(FULL))]) {
      const all = [{ ...FULL, steps: 2 }]
      const epsilon = filter.epsilonUpperBound(all, 1e-6)
      expect(filter.deltaUpperBound(all, epsilon) / 1e-6).toBeCloseTo(1, 1)
    }
  })

  it('calibrates: a later run lands on what the filter still allows', () => {
    const prior = [{ sampleRate: 0.1, noiseMultiplier: 1, steps: 20 }]
    for (const filter of [renyiFor(prior[0]!), GAUSSIAN]) {
      const shape = { sampleRate: 0.05, steps: 10 }
      const question = { ...BUDGET, epsilon: 30, ...shape, prior, accountant: filter }
      const event = { ...shape, noiseMultiplier: calibrateNoiseMultiplier(question) }
      const epsilon = filter.epsilonUpperBound([...prior, event], BUDGET.delta)
      expect(epsilon).toBeLessThanOrEqual(30)
      expect(epsilon).toBeGreaterThan(29.97)
    }
  })

  it('refuses bad events and bad budgets with a code', () => {
    const filter = renyiFor(FULL)
    const bad = (event: Partial<AccountedEvent>) => () => filter.allows([{ ...FULL, steps: 1, ...event }], BUDGET)
    expect(bad({ noiseMultiplier: 0 })).toThrow('NOISE_INVALID')
    expect(bad({ steps: 0.5 })).toThrow('CONFIG_INVALID')
    expect(() => filter.allows([], { epsilon: 1, delta: 0 })).toThrow('CONFIG_INVALID')
    expect(() => filter.allows([], { epsilon: Number.NaN, delta: 0.1 })).toThrow('CONFIG_INVALID')
  })

  it('is over the budget at noise so small that its divergence is not a number of this machine', () => {
    const filter = renyiFor(FULL)
    expect(filter.allows([{ sampleRate: 0.1, noiseMultiplier: 1e-200, steps: 1 }], BUDGET)).toBe(false)
  })
})

describe('the rule of a schedule', () => {
  const filter = filterOf(scheduleRule(FULL))

  it('covers its own mechanism by PLD, and nothing else', () => {
    const own = [{ ...FULL, steps: 1 }]
    expect(filter.epsilonUpperBound(own, 1e-5)).toBe(pld.epsilonUpperBound(own, 1e-5))
    expect(filter.allows(own, BUDGET)).toBe(true)
    const other = [...own, { sampleRate: 0.001, noiseMultiplier: 50, steps: 1 }]
    expect(filter.allows(other, { ...BUDGET, epsilon: 100 })).toBe(false)
    expect(filter.epsilonUpperBound(other, 1e-5)).toBe(Number.POSITIVE_INFINITY)
    expect(filter.deltaUpperBound(other, 1)).toBe(1)
  })
})

describe('the rule of a new ledger', () => {
  const run = { sampleRate: 0.0853, steps: 30 }
  const runAt = (epsilon: number) => {
    const granted = { epsilon, delta: 1e-5 }
    return { granted, noiseMultiplier: calibrateNoiseMultiplier({ ...granted, ...run, accountant: pld }) }
  }
  const ruleAt = (epsilon: number) => {
    const { granted, noiseMultiplier } = runAt(epsilon)
    return chooseRule({ sampleRate: run.sampleRate, noiseMultiplier }, granted, BUDGET)
  }

  it('is the schedule of the first run where that takes more than any order can vouch for', () => {
    expect(ruleAt(6).kind).toBe('schedule')
    expect(ruleAt(5.7).kind).toBe('schedule')
  })

  it('is a filter where the first run leaves room, and the filter then pays for the whole of that run', () => {
    for (const epsilon of [0.5, 2, 4]) {
      const rule = ruleAt(epsilon)
      expect(rule.kind).toBe('renyi')
      const { noiseMultiplier } = runAt(epsilon)
      expect(filterOf(rule).allows([{ ...run, noiseMultiplier }], BUDGET)).toBe(true)
    }
  })

  it('takes the order that loses least for runs like the first: no other pays for more of them', () => {
    const mechanism = { sampleRate: 0.0853, noiseMultiplier: 2 }
    const stepsAt = (order: number) =>
      stepsAffordable({ ...BUDGET, ...mechanism, accountant: filterOf({ kind: 'renyi', order }) })
    const best = stepsAt(bestOrder([{ ...mechanism, steps: 1 }], BUDGET))
    for (const order of [1.5, 2, 3, 4, 6, 10, 30]) expect(stepsAt(order)).toBeLessThanOrEqual(best)
  })

  it('is the schedule where no order pays for a single step', () => {
    expect(chooseRule({ sampleRate: 1, noiseMultiplier: 0.3 }, BUDGET, BUDGET).kind).toBe('schedule')
  })
})
