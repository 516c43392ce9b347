import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type BoundRun,
  canonicalJson,
  lastAttempt,
  openLedger,
  type PrivacyLedger,
  sha256Hex,
  spentEvents,
} from '../../apps/client/src/ledger/index.ts'
import { type AccountedEvent, eventOfRound, mergeEvents, pld } from '../../packages/core/src/accounting/index.ts'
import { isFedsvdError } from '../../packages/core/src/errors.ts'
import { sampleManifest } from '../../packages/testing/src/client/sample-run.ts'
import { temporaryFolder } from '../../packages/testing/src/client/temporary-folder.ts'
import { composedDelta } from '../../packages/testing/src/core/accounting/exact.ts'

/*
 * Random schedules: two data sets take part in the runs of two coordinators, which select some of them for each round.
 * Clients join late, crash before or after they drew their noise, try again, lose answers, are restarted; new runs
 * begin. The real ledger with the real accountants decides; what truly happened is kept beside it and judged by an
 * exact oracle that shares no code with the accountants.
 */

const BUDGETS = [
  { epsilon: 2, delta: 1e-5 },
  { epsilon: 12, delta: 1e-6 }, // room for several runs of target 6
] as const
const RUNS = 4

const terms = fc.record({
  sampleRate: fc.constantFrom(0.02, 0.1, 0.35, 1),
  noiseMultiplier: fc.constantFrom(0.7, 1.1, 2.5, 6),
  steps: fc.constantFrom(1, 3, 8),
})
/** The oracle integrates over a range that is wide enough when the privacy loss is spread this far. */
const LEAST_SPREAD = 0.5
/**
 * Any tilt gives the same integral; where the oracle's numbers do not, it is at the end of its range and judges
 * nothing.
 */
const TILTS = [1, 2] as const

/** About the standard deviation of the privacy loss of events together. */
function spread(events: readonly AccountedEvent[]): number {
  return Math.sqrt(
    events.reduce(
      (sum, { sampleRate, noiseMultiplier, steps }) =>
        sum + steps * sampleRate ** 2 * Math.expm1(noiseMultiplier ** -2),
      0,
    ),
  )
}

/** What becomes of a data set that was selected for a round. */
const fate = fc.constantFrom(
  'not selected',
  'delivers',
  'dies before its noise',
  'dies after its noise',
  'loses the answer',
)
const event = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      what: fc.constant('round' as const),
      run: fc.nat({ max: RUNS - 1 }),
      round: fc.nat({ max: 5 }),
      fates: fc.tuple(fate, fate),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('restart' as const), site: fc.nat({ max: 1 }) }) },
)
const schedule = fc.record({
  runs: fc.array(terms, { minLength: RUNS, maxLength: RUNS }),
  events: fc.array(event, { minLength: 10, maxLength: 40 }),
})
type Fate = typeof fate extends fc.Arbitrary<infer T> ? T : never

/** One data set, its ledger, and the truth about it. */
class Site implements Disposable {
  readonly budget: (typeof BUDGETS)[number]
  readonly #folder: string
  readonly #fingerprint: string
  readonly #runs: readonly BoundRun[]
  readonly #joined = new Set<number>()
  #ledger: PrivacyLedger
  /** The events whose noise was really drawn. */
  readonly #truth: AccountedEvent[] = []

  constructor(folder: string, index: 0 | 1, runs: readonly BoundRun[]) {
    this.budget = BUDGETS[index]
    this.#folder = join(folder, String(index))
    this.#fingerprint = sha256Hex(`data set ${index}`)
    this.#runs = runs
    this.#ledger = openLedger(this.#folder, this.#fingerprint, this.budget)
  }

  takePart(run: number, round: number, what: Fate): void {
    if (what === 'not selected') return
    const bound = this.#runs[run]!
    if (!this.#joined.has(run)) this.#ledger.bind(bound)
    this.#joined.add(run)
    try {
      const key = this.#ledger.reserve(bound.runId, round).entry
      if (what !== 'dies before its noise') this.#truth.push(key.event)
      if (what === 'delivers' || what === 'loses the answer') this.#ledger.finish(key, sha256Hex('frame'))
      else this.restart()
      if (what === 'delivers') this.#ledger.acknowledge(key, 'accepted')
    } catch (error) {
      if (isFedsvdError(error, 'BUDGET_EXHAUSTED')) return
      // A round that has its frame is sent again, never trained again.
      if (!isFedsvdError(error, 'TERMS_CHANGED')) throw error
      expect(lastAttempt(this.#ledger.state, bound.runId, round)?.frameSha256).toBeDefined()
    }
  }

  restart(): void {
    this.#ledger[Symbol.dispose]()
    this.#ledger = openLedger(this.#folder, this.#fingerprint, this.budget)
  }

  /** True when there was enough to judge by the oracle. */
  check(): boolean {
    const { epsilon, delta } = this.budget
    const shown = pld.epsilonUpperBound(mergeEvents(spentEvents(this.#ledger.state)), delta)
    expect(shown, 'no budget is exceeded').toBeLessThanOrEqual(epsilon)
    if (spread(this.#truth) < LEAST_SPREAD) return false
    const [truth, again] = TILTS.map((tilt) => composedDelta(mergeEvents(this.#truth), shown, tilt)) as [number, number]
    if (!(Math.abs(truth - again) <= 1e-6 * truth)) return false
    expect(truth, 'the shown epsilon is never below the true one').toBeLessThanOrEqual(delta * (1 + 1e-6) + 1e-12)
    return true
  }

  [Symbol.dispose](): void {
    this.#ledger[Symbol.dispose]()
  }
}

function boundRuns(runs: readonly { sampleRate: number; noiseMultiplier: number; steps: number }[]): BoundRun[] {
  return runs.map(({ sampleRate, noiseMultiplier, steps }, index) => {
    const runId = `00000000-0000-4000-8000-00000000000${index}`
    const manifest = sampleManifest({ runId, localSteps: steps, rounds: 6, target: { epsilon: 6, delta: 1e-6 } })
    const privacyTerms = { declaredRecords: 100, sampleRate, noiseMultiplier, budget: manifest.target }
    return {
      runId,
      coordinator: `http://coordinator-${index % 2}.test`,
      manifestSha256: sha256Hex(canonicalJson(manifest)),
      terms: privacyTerms,
      event: eventOfRound(manifest, privacyTerms),
    }
  })
}

describe('over random schedules of runs, selections, crashes, retries and late joins', () => {
  it('no true epsilon exceeds its budget, and no shown epsilon is below the true one', () => {
    let judged = 0
    fc.assert(
      fc.property(schedule, ({ runs, events }) => {
        using folder = temporaryFolder()
        const bound = boundRuns(runs)
        using first = new Site(folder.path, 0, bound)
        using second = new Site(folder.path, 1, bound)
        const sites = [first, second]
        for (const each of events) {
          if (each.what === 'restart') sites[each.site]!.restart()
          else for (const [index, site] of sites.entries()) site.takePart(each.run, each.round, each.fates[index]!)
        }
        for (const site of sites) judged += Number(site.check())
      }),
      { numRuns: Number(process.env.FEDSVD_SCHEDULES ?? 25) },
    )
    expect(judged).toBeGreaterThan(5)
  }, 14_400_000)
})
