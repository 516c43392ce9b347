import { readFileSync, truncateSync } from 'node:fs'
import { isFedsvdError } from '@fedsvd/core/errors'
import {
  BUDGET,
  FINGERPRINT,
  perStep,
  RUN_A,
  RUN_B,
  sampleBound,
  sampleManifest,
} from '@fedsvd/testing/client/sample-run'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sha256Hex } from './chain.ts'
import { SITE_BUDGET } from './entry.ts'
import { ledgerPath, openLedger, type PrivacyLedger } from './ledger.ts'
import { type LedgerState, lastAttempt, spentEvents } from './state.ts'
import { verifyLedgerBytes } from './verify.ts'

/*
 * Random lives of one data set: rounds of two runs of two coordinators are reserved, finished and acknowledged; the
 * process dies between calls, or in the middle of writing a line; it is started again with the same or a smaller
 * budget.
 */

const STEP = 0.25 // epsilon of one step, so a round of RUN_A (5 steps) costs 1.25 and one of RUN_B (3 steps) 0.75
const COST: Record<string, number> = { [RUN_A]: 5 * STEP, [RUN_B]: 3 * STEP }
const RUNS = [sampleBound(), sampleBound(sampleManifest({ runId: RUN_B, localSteps: 3 }))]
const makeFilter = perStep(STEP)

const epsilonOf = (state: LedgerState) => STEP * spentEvents(state).reduce((sum, { steps }) => sum + steps, 0)

const run = fc.constantFrom(RUN_A, RUN_B)
const round = fc.nat({ max: 3 })
const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('reserve' as const), run, round }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('finish' as const), run, round }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('acknowledge' as const), run, round }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('crash' as const) }) },
  // the process dies while the line of a reservation is being written: `kept` of it reaches the disk
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('tear' as const),
      run,
      round,
      kept: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lower' as const), epsilon: fc.constantFrom(3, 5, 6, 9) }) },
)
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never

/** What really happened, kept outside the ledger: every reservation that was handed out may have drawn noise. */
class Life {
  readonly #folder: string
  #budget = BUDGET.epsilon as number
  #ledger: PrivacyLedger
  /** Attempts that were handed out, as `run/round/attempt`, and what they truly cost. */
  readonly handedOut = new Set<string>()
  trueEpsilon = 0

  constructor(folder: string) {
    this.#folder = folder
    this.#ledger = this.#open()
  }

  apply(step: Action): void {
    if (step.do === 'reserve') this.#reserve(step.run, step.round)
    if (step.do === 'finish') this.#finish(step.run, step.round)
    if (step.do === 'acknowledge') this.#acknowledge(step.run, step.round)
    if (step.do === 'tear') this.#tear(step.run, step.round, step.kept)
    if (step.do === 'crash') this.#restart()
    if (step.do === 'lower') {
      this.#budget = Math.min(this.#budget, step.epsilon)
      this.#restart(step.epsilon)
    }
  }

  check(): void {
    const { entries } = verifyLedgerBytes(readFileSync(ledgerPath(this.#folder)), SITE_BUDGET)
    const written = entries.flatMap(({ fact }) =>
      fact.kind === 'reserved' ? [`${fact.runId}/${fact.round}/${fact.attempt}`] : [],
    )
    expect(new Set(written).size, 'nothing is recorded twice').toBe(written.length)
    expect(written, 'every attempt handed out is recorded').toEqual(expect.arrayContaining([...this.handedOut]))
    const shown = epsilonOf(this.#ledger.state)
    expect(shown, 'the shown epsilon is never below the true one').toBeGreaterThanOrEqual(this.trueEpsilon)
    expect(shown, 'the budget at the time of the last reservation holds').toBeLessThanOrEqual(BUDGET.epsilon)
  }

  close(): void {
    this.#ledger[Symbol.dispose]()
  }

  #open(epsilon = this.#budget): PrivacyLedger {
    const ledger = openLedger(this.#folder, FINGERPRINT, { ...BUDGET, epsilon }, { makeFilter })
    for (const bound of RUNS) ledger.bind(bound)
    expect(ledger.state.budget.epsilon).toBe(this.#budget)
    return ledger
  }

  #restart(epsilon?: number): void {
    this.#ledger[Symbol.dispose]()
    this.#ledger = this.#open(epsilon)
  }

  #reserve(runId: string, index: number): void {
    const before = epsilonOf(this.#ledger.state)
    try {
      const { attempt, event } = this.#ledger.reserve(runId, index).entry
      const cost = event.steps * STEP
      this.handedOut.add(`${runId}/${index}/${attempt}`)
      this.trueEpsilon += cost
      expect(before + cost).toBeLessThanOrEqual(this.#budget)
      expect(cost, 'as many steps as the budget pays for').toBe(Math.min(COST[runId]!, this.#budget - before))
    } catch (error) {
      if (isFedsvdError(error, 'BUDGET_EXHAUSTED')) expect(before + STEP).toBeGreaterThan(this.#budget)
      else if (!isFedsvdError(error, 'TERMS_CHANGED')) throw error
    }
  }

  #finish(runId: string, index: number): void {
    const attempt = lastAttempt(this.#ledger.state, runId, index)
    if (attempt !== undefined && attempt.frameSha256 === undefined) this.#ledger.finish(attempt, sha256Hex('frame'))
  }

  #acknowledge(runId: string, index: number): void {
    const attempt = lastAttempt(this.#ledger.state, runId, index)
    if (attempt !== undefined) this.#ledger.acknowledge(attempt, 'accepted')
  }

  /** As a kill in the middle of `write`: the caller never gets the reservation, so nothing is spent in truth. */
  #tear(runId: string, index: number, kept: number): void {
    const path = ledgerPath(this.#folder)
    const before = readFileSync(path).length
    try {
      this.#ledger.reserve(runId, index)
    } catch (error) {
      if (!isFedsvdError(error)) throw error
    }
    this.#ledger[Symbol.dispose]()
    truncateSync(path, before + Math.floor(kept * (readFileSync(path).length - before)))
    this.#ledger = this.#open()
  }
}

describe('over random lives of a data set', () => {
  it('the ledger never shows less than was spent, never twice the same, and never lets the budget be exceeded', () => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 1, maxLength: 40 }), (steps) => {
        using folder = temporaryFolder()
        const life = new Life(folder.path)
        try {
          for (const step of steps) {
            life.apply(step)
            life.check()
          }
        } finally {
          life.close()
        }
      }),
      { numRuns: Number(process.env.FEDSVD_LEDGER_LIVES ?? 60) },
    )
  }, 1_200_000)
})
