import type { PrivacyEvent } from '@fedsvd/core/accounting'
import type { FedsvdError } from '@fedsvd/core/errors'
import type { Budget, PrivacyTerms } from '@fedsvd/core/protocol'
import { canonicalJson } from './chain.ts'
import type { AttemptKey, LedgerEntry, LedgerFact, LedgerFactOf } from './entry.ts'
import { unitOfLedger } from './unit.ts'
import { damaged } from './verify.ts'

/** What a data set agreed to for one run. */
export interface BoundRun {
  readonly runId: string
  readonly coordinator: string
  readonly manifestSha256: string
  readonly terms: PrivacyTerms
  readonly event: PrivacyEvent
}

/** One reservation and how far it came. */
export interface Attempt extends AttemptKey {
  /** What it was charged: the whole round, or the one step for which it resumes another. */
  readonly event: PrivacyEvent
  readonly stepwise?: true | undefined
  /** The attempt that this one goes on from, and the step behind which it begins; undefined where it began anew. */
  readonly resumes?: { readonly attempt: number; readonly step: number } | undefined
  /** The last step that was kept, by this attempt or by those that it goes on from; undefined before the first. */
  readonly saved?: { readonly step: number; readonly sha256: string } | undefined
  readonly frameSha256?: string
  readonly outcome?: 'accepted' | 'duplicate' | 'refused'
}

/** Everything that a ledger says, in memory. Epsilon is not in it: it is computed from the events on demand. */
export interface LedgerState {
  readonly fingerprint: string
  readonly budget: Budget
  readonly runs: ReadonlyMap<string, BoundRun>
  /** All reservations in the order in which they were made, with their progress. Each one is spent. */
  readonly attempts: readonly Attempt[]
}

/** The newest attempt of a round, or undefined when the round has none. */
export function lastAttempt(state: LedgerState, runId: string, round: number): Attempt | undefined {
  return state.attempts.findLast((attempt) => attempt.runId === runId && attempt.round === round)
}

/** The attempt of a round that broke off and can be gone on with for one step's payment; undefined where there is none. */
export function brokenOff(state: LedgerState, runId: string, round: number): Attempt | undefined {
  const last = lastAttempt(state, runId, round)
  return last?.stepwise === true && last.frameSha256 === undefined ? last : undefined
}

/** What the next attempt at a round costs at least: one step where one broke off, else the whole round. */
export function nextCharge(state: LedgerState, { runId, event }: BoundRun, round: number): PrivacyEvent {
  return brokenOff(state, runId, round) === undefined ? event : { ...event, steps: 1 }
}

/** Every event that was spent: of all runs, or of one. */
export function spentEvents(state: LedgerState, runId?: string): readonly PrivacyEvent[] {
  return state.attempts
    .filter((attempt) => runId === undefined || attempt.runId === runId)
    .map((attempt) => attempt.event)
}

/**
 * Replays verified entries.
 *
 * @throws FedsvdError LEDGER_DAMAGED when an entry contradicts the ones before it
 */
export function replay(entries: readonly LedgerEntry[]): LedgerState | undefined {
  return entries.reduce<LedgerState | undefined>((state, entry) => advance(state, entry.fact, entry.seq + 1), undefined)
}

/**
 * The state after one more fact; `line` is where the fact stands, for the message. The same function checks what is read
 * and what is about to be written, so a ledger that was written can be read.
 *
 * @throws FedsvdError LEDGER_DAMAGED when the fact contradicts the state
 */
export function advance(state: LedgerState | undefined, fact: LedgerFact, line: number): LedgerState {
  const contradiction = (expected: string, got: string): FedsvdError => damaged(line, expected, got)
  if (state === undefined) {
    if (fact.kind !== 'opened') throw contradiction('the kind "opened"', `"${fact.kind}"`)
    return { fingerprint: fact.fingerprint, budget: fact.budget, runs: new Map(), attempts: [] }
  }
  switch (fact.kind) {
    case 'opened':
      throw contradiction('one "opened" only', 'a second one')
    case 'bound': {
      if (state.runs.has(fact.runId)) throw contradiction(`run ${fact.runId} to be bound once`, 'a second time')
      const { kind: _, ...run } = fact
      const unit = unitOfLedger(state)
      if (unit !== undefined && unit !== run.event.unit) {
        throw contradiction(`runs whose unit is the ${unit} only`, `one whose unit is the ${run.event.unit}`)
      }
      return { ...state, runs: new Map(state.runs).set(run.runId, run) }
    }
    case 'reserved':
      return { ...state, attempts: [...state.attempts, newAttempt(state, fact, contradiction)] }
    case 'stepped':
      return update(state, fact, { saved: { step: fact.step, sha256: fact.savedSha256 } }, contradiction, (attempt) => {
        if (attempt !== brokenOff(state, fact.runId, fact.round))
          return 'the newest attempt of its round, made stepwise'
        const next = (attempt.saved?.step ?? 0) + 1
        const { steps } = state.runs.get(fact.runId)!.event
        return fact.step === next && fact.step < steps ? undefined : `step ${next} of ${steps}, and not the last`
      })
    case 'finished':
      return update(state, fact, { frameSha256: fact.frameSha256 }, contradiction, (attempt) => {
        if (attempt !== lastAttempt(state, fact.runId, fact.round)) return 'the newest attempt of its round'
        return attempt.frameSha256 === undefined ? undefined : 'an attempt that is not finished yet'
      })
    case 'acknowledged':
      return update(state, fact, { outcome: fact.outcome }, contradiction, (attempt) =>
        attempt.frameSha256 === fact.frameSha256 ? undefined : 'an attempt that finished with this frame',
      )
    case 'budget-lowered': {
      const { epsilon, delta } = state.budget
      const lower = fact.budget.epsilon <= epsilon && fact.budget.delta <= delta
      if (!lower) throw contradiction(`at most epsilon ${epsilon} at delta ${delta}`, JSON.stringify(fact.budget))
      return { ...state, budget: fact.budget }
    }
    case 'recovered':
      return state
  }
}

function newAttempt(
  state: LedgerState,
  { runId, round, attempt, event, stepwise, resumes }: LedgerFactOf<'reserved'>,
  contradiction: (expected: string, got: string) => FedsvdError,
): Attempt {
  const run = state.runs.get(runId)
  if (run === undefined) throw contradiction('a reservation for a bound run', `run ${runId}`)
  const due = resumes === undefined ? run.event : { ...run.event, steps: 1 }
  if (canonicalJson(due) !== canonicalJson(event)) throw contradiction('the event of the bound terms', 'another')
  const last = lastAttempt(state, runId, round)
  const next = (last?.attempt ?? 0) + 1
  if (attempt !== next) throw contradiction(`attempt ${next} of round ${round}`, `attempt ${attempt}`)
  if (last?.frameSha256 !== undefined) throw contradiction(`no attempt after round ${round} was finished`, 'one more')
  if (resumes === undefined) return { runId, round, attempt, event, ...(stepwise && { stepwise }) }
  const from = brokenOff(state, runId, round)
  const fits = from?.attempt === resumes.attempt && (from.saved?.step ?? 0) === resumes.step && stepwise === true
  if (!fits) throw contradiction('an attempt to go on behind the last step that was kept', 'another')
  return { runId, round, attempt, event, stepwise, resumes, saved: from.saved }
}

function update(
  state: LedgerState,
  key: AttemptKey,
  change: Partial<Attempt>,
  contradiction: (expected: string, got: string) => FedsvdError,
  /** What the attempt should be, when it is not. */
  fault: (attempt: Attempt) => string | undefined,
): LedgerState {
  const { runId, round, attempt } = key
  const index = state.attempts.findLastIndex(
    (one) => one.runId === runId && one.round === round && one.attempt === attempt,
  )
  const found = state.attempts[index]
  const expected = found === undefined ? 'an attempt that was reserved' : fault(found)
  if (found === undefined || expected !== undefined) {
    throw contradiction(expected ?? 'an attempt', `attempt ${attempt} of round ${round} of run ${runId}`)
  }
  return { ...state, attempts: state.attempts.with(index, { ...found, ...change }) }
}
