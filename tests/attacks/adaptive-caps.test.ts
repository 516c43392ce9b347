import { describe, expect, it } from 'vitest'
import { ClientCaps, epsilonBounds } from '../../apps/server/src/privacy/index.ts'
import type { BudgetCap } from '../../apps/server/src/storage/records/index.ts'
import {
  type AccountedEvent,
  calibrateNoiseMultiplier,
  type FilterRule,
  filterOf,
  pld,
} from '../../packages/core/src/accounting/index.ts'
import type { Budget, PrivacyTerms } from '../../packages/core/src/protocol/index.ts'
import { gameDelta, type Move } from '../../packages/testing/src/core/adaptive-adversary.ts'

/*
 * An operator opens one run after the other and chooses each by what came back, for a client on which a cap was set
 * before. Whether the client is asked is decided by the coordinator's real check; what is learnt is computed exactly.
 */

const BUDGET = { epsilon: 6, delta: 1e-5 }
const FIRST = { sampleRate: 1, noiseMultiplier: 1.2, steps: 1 }
const SHAPES = [
  { sampleRate: 1, steps: 1 },
  { sampleRate: 0.001, steps: 10 },
  { sampleRate: 0.05, steps: 20 },
]
const LATTICE = 1 + 1e-3 // what the lattice of the oracle may add
const bounds = epsilonBounds()

interface Run {
  readonly event: AccountedEvent
  readonly granted: Budget
}

const termsOf = ({ event: { sampleRate, noiseMultiplier }, granted }: Run): PrivacyTerms => {
  return { declaredRecords: 1000, sampleRate, noiseMultiplier, budget: granted }
}

/**
 * The coordinator's check of a client that has spent `past`, the first of it first, under caps that were set one after
 * the other.
 */
async function capsAfter(past: readonly Run[], caps: readonly Budget[]): Promise<ClientCaps> {
  const history = caps.map((cap): BudgetCap => ({ ...cap, clientId: 'site', actor: 'operator', at: 0 }))
  const spending = past.map(({ event }, index) => ({ ...event, runId: String(index), clientId: 'site' }))
  const first = past.slice(0, 1).map((run) => ['site', termsOf(run)] as const)
  const checked = new ClientCaps({
    clients: { caps: async () => history },
    ledger: { spendingOf: async () => spending, firstTerms: async () => new Map(first) },
    bounds,
    runs: () => [],
  })
  await checked.load()
  return checked
}

const asks = (caps: ClientCaps, run: Run): Promise<boolean> => caps.allows('site', termsOf(run), run.event.steps)

/** The later runs for which the client is asked: each shape with the least noise at which it is. */
async function openTo(past: readonly Run[], caps: readonly Budget[] = [BUDGET]): Promise<readonly AccountedEvent[]> {
  const check = await capsAfter(past, caps)
  const open: AccountedEvent[] = []
  for (const shape of SHAPES) {
    const at = (log: number) => ({ ...shape, noiseMultiplier: Math.exp(log) })
    const isAsked = (log: number) => asks(check, { event: at(log), granted: BUDGET })
    let [low, high] = [Math.log(0.2), Math.log(50)]
    if (!(await isAsked(high))) continue
    while (high - low > 1e-3) {
      const middle = (low + high) / 2
      if (await isAsked(middle)) high = middle
      else low = middle
    }
    open.push(at(high))
  }
  return open
}

const after = (event: AccountedEvent, next: readonly Move[]): Move => ({ events: [event], next })
const ends = (events: readonly AccountedEvent[]): readonly Move[] => events.map((event) => after(event, []))
const costs = (event: AccountedEvent): Budget => {
  return { ...BUDGET, epsilon: pld.epsilonUpperBound([event], BUDGET.delta) }
}

describe('an operator who chooses the next run of a capped client by what came back', () => {
  it.each([
    ['that is granted what it costs', costs(FIRST)],
    ['that is granted the whole cap', BUDGET],
  ])('learns no more than the cap says, after a first run %s', async (_, granted) => {
    const runs = await openTo([{ event: FIRST, granted }])
    expect(runs).toHaveLength(SHAPES.length)
    expect(gameDelta([after(FIRST, ends(runs))], BUDGET.epsilon)).toBeLessThanOrEqual(BUDGET.delta * LATTICE)
  })

  it('learns no more by four runs, each of which is chosen', async () => {
    const step = { ...FIRST, noiseMultiplier: 2.2 }
    const run = { event: step, granted: costs(step) }
    const from = async (done: number): Promise<readonly Move[]> => {
      const last = ends(await openTo(Array.from({ length: done }, () => run)))
      return done === 3 ? last : [...last, after(step, await from(done + 1))]
    }
    const learnt = gameDelta([after(step, await from(1))], BUDGET.epsilon)
    expect(learnt).toBeLessThanOrEqual(BUDGET.delta * LATTICE)
    expect(learnt).toBeGreaterThan(BUDGET.delta / 100) // the adversary has something to choose
  })
})

describe('the rule of a cap', () => {
  const first = { event: FIRST, granted: costs(FIRST) }
  const other = { event: { sampleRate: 0.05, noiseMultiplier: 2, steps: 20 }, granted: BUDGET }
  const ruleAfter = async (past: readonly Run[], caps: readonly Budget[] = [BUDGET], next: Run = other) =>
    (await capsAfter(past, caps)).ruleOf('site', termsOf(next))

  it('is decided before the first release, and does not move with what is spent afterwards', async () => {
    const before = (await ruleAfter([], [BUDGET], first)) as FilterRule
    expect(before.kind).toBe('renyi')
    expect(await ruleAfter([first])).toEqual(before)
    expect(await ruleAfter([first, other])).toEqual(before)
    expect(await ruleAfter([first, other, other, first])).toEqual(before)
  })

  it('keeps its order when the cap is lowered, and begins anew when it is raised, which is only before data are used', async () => {
    const [whole, lower] = [await ruleAfter([first]), { ...BUDGET, epsilon: 5 }]
    expect(await ruleAfter([first], [BUDGET, lower])).toEqual(whole)
    expect(await ruleAfter([first], [{ ...BUDGET, epsilon: 3 }, BUDGET, lower])).toEqual(whole)
    expect(await ruleAfter([first], [lower])).not.toEqual(whole)
  })

  it('asks for nothing but the first mechanism where that run may take more than a filter vouches for', async () => {
    const run = { sampleRate: 0.0853, steps: 30 }
    const noiseMultiplier = calibrateNoiseMultiplier({ ...BUDGET, ...run, accountant: pld })
    const whole = { event: { ...run, noiseMultiplier }, granted: BUDGET }
    const stopped = { ...whole, event: { ...whole.event, steps: 2 } }
    const check = await capsAfter([stopped], [BUDGET])
    expect(await asks(check, { ...whole, event: { ...whole.event, steps: 28 } })).toBe(true)
    expect(await asks(check, { event: { sampleRate: 0.001, noiseMultiplier: 50, steps: 1 }, granted: BUDGET })).toBe(
      false,
    )
  })

  it('is a filter for all facts where a cap comes after several mechanisms were used', async () => {
    const past = [first, other]
    const origin = { ...BUDGET, epsilon: 20 }
    const rule = (await ruleAfter(past, [origin])) as FilterRule
    expect(rule.kind).toBe('renyi')
    const next = { event: { sampleRate: 0.05, noiseMultiplier: 4, steps: 20 }, granted: BUDGET }
    const all = [...past, next].map(({ event }) => event)
    const needed = filterOf(rule).epsilonUpperBound(all, BUDGET.delta)
    const askedAt = async (epsilon: number) => asks(await capsAfter(past, [origin, { ...BUDGET, epsilon }]), next)
    expect([await askedAt(needed * 1.001), await askedAt(needed * 0.999)]).toEqual([true, false])
  })
})
