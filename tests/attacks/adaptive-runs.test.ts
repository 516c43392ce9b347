import { describe, expect, it } from 'vitest'
import { type BoundRun, openLedger } from '../../apps/client/src/ledger/index.ts'
import { type AccountedEvent, eventOfRound, pld } from '../../packages/core/src/accounting/index.ts'
import { isFedsvdError } from '../../packages/core/src/errors.ts'
import { FINGERPRINT, sampleBound, sampleManifest } from '../../packages/testing/src/client/sample-run.ts'
import { temporaryFolder } from '../../packages/testing/src/client/temporary-folder.ts'
import { gameDelta, type Move } from '../../packages/testing/src/core/adaptive-adversary.ts'

/*
 * A coordinator opens one run after the other and chooses each by what came back from the one before. What it may ask
 * for is decided by the real ledger of a site: the noise of each run is the least with which the ledger still reserves
 * it. What it learns is computed exactly.
 */

const BUDGET = { epsilon: 6, delta: 1e-5 }
const FIRST = { sampleRate: 1, noiseMultiplier: 1.2, steps: 1 }
const SHAPES = [
  { sampleRate: 1, steps: 1 },
  { sampleRate: 0.001, steps: 10 },
  { sampleRate: 0.05, steps: 20 },
]
const LATTICE = 1 + 1e-3 // what the lattice of the oracle may add

interface Asked {
  readonly event: AccountedEvent
  /** Target epsilon of the run. */
  readonly target: number
}

function boundRun({ event, target }: Asked, index: number): BoundRun {
  const { sampleRate, noiseMultiplier, steps } = event
  const runId = `00000000-0000-4000-8000-00000000000${index}`
  const budget = { ...BUDGET, epsilon: target }
  const manifest = sampleManifest({ runId, localSteps: steps, rounds: 1, target: budget })
  const terms = { declaredRecords: 1000, sampleRate, noiseMultiplier, budget }
  return { ...sampleBound(manifest, terms), event: eventOfRound(manifest, terms) }
}

/** True when a site's ledger reserves one whole round of each run, one run after the other. */
function isReserved(asked: readonly Asked[]): boolean {
  using folder = temporaryFolder()
  using ledger = openLedger(folder.path, FINGERPRINT, BUDGET)
  try {
    for (const [index, one] of asked.entries()) {
      const run = boundRun(one, index)
      ledger.bind(run)
      if (ledger.reserve(run.runId, 0).entry.event.steps < run.event.steps) return false
    }
    return true
  } catch (error) {
    if (isFedsvdError(error, 'BUDGET_EXHAUSTED')) return false
    throw error
  }
}

/** The later runs that are open to the adversary: each shape with the least noise that is reserved after `past`. */
function openTo(past: readonly Asked[]): readonly AccountedEvent[] {
  return SHAPES.flatMap((shape) => {
    const at = (log: number): AccountedEvent => ({ ...shape, noiseMultiplier: Math.exp(log) })
    const reserves = (log: number) => isReserved([...past, { event: at(log), target: BUDGET.epsilon }])
    let [low, high] = [Math.log(0.2), Math.log(50)]
    if (!reserves(high)) return []
    while (high - low > 1e-3) {
      const middle = (low + high) / 2
      if (reserves(middle)) high = middle
      else low = middle
    }
    return [at(high)]
  })
}

const after = (event: AccountedEvent, next: readonly Move[]): Move => ({ events: [event], next })

describe('a coordinator that chooses the next run by what came back', () => {
  it.each([
    ['that is granted what it costs', pld.epsilonUpperBound([FIRST], BUDGET.delta)],
    ['that is granted the whole budget', BUDGET.epsilon],
  ])(
    'learns no more than the budget says, after a first run %s',
    (_, target) => {
      const runs = openTo([{ event: FIRST, target }])
      const learnt = gameDelta(
        [
          after(
            FIRST,
            runs.map((event) => after(event, [])),
          ),
        ],
        BUDGET.epsilon,
      )
      expect(learnt).toBeLessThanOrEqual(BUDGET.delta * LATTICE)
    },
    300_000,
  )

  it('learns no more by four runs, each of which it chooses', () => {
    const step = { ...FIRST, noiseMultiplier: 2.2 }
    const past = (count: number): readonly Asked[] => {
      return Array.from({ length: count }, () => ({ event: step, target: pld.epsilonUpperBound([step], BUDGET.delta) }))
    }
    const from = (done: number): readonly Move[] => {
      const last = openTo(past(done)).map((event) => after(event, []))
      return done === 3 ? last : [...last, after(step, from(done + 1))]
    }
    expect(gameDelta([after(step, from(1))], BUDGET.epsilon)).toBeLessThanOrEqual(BUDGET.delta * LATTICE)
  }, 300_000)
})
