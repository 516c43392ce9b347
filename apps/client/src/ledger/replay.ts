import type { FedsvdError } from '@fedsvd/core/errors'
import { roundNumber } from '@fedsvd/core/errors'
import { isSigned } from '../owner/statement.ts'
import { adopt } from './adopted.ts'
import { canonicalJson } from './chain.ts'
import { type AttemptKey, type LedgerEntry, type LedgerFact, type LedgerFactOf, SITE_BUDGET } from './entry.ts'
import { dayOf } from './renewal.ts'
import {
  type Attempt,
  attemptToGoOnWith,
  hasSpent,
  interruptedAttempt,
  type LedgerState,
  lastAttempt,
} from './state.ts'
import { unitOfLedger } from './unit.ts'
import { damaged } from './verify.ts'

/**
 * Replays verified entries.
 *
 * @throws FedsvdError LEDGER_DAMAGED when an entry contradicts the ones before it
 */
export function replay(entries: readonly LedgerEntry[]): LedgerState | undefined {
  return entries.reduce<LedgerState | undefined>(
    (state, entry) => advance(state, entry.fact, entry.seq + 1, entry.at),
    undefined,
  )
}

/**
 * The state after one more fact; `line` is where the fact stands, for the message, and `at` when it was written. The
 * same function checks what is read and what is about to be written, so a ledger that was written can be read.
 *
 * @throws FedsvdError LEDGER_DAMAGED when the fact contradicts the state
 */
export function advance(state: LedgerState | undefined, fact: LedgerFact, line: number, at?: string): LedgerState {
  const contradiction: Contradiction = (expected, got) => damaged(line, expected, got)
  if (state === undefined) {
    if (fact.kind !== 'opened') throw contradiction('the kind "opened"', `"${fact.kind}"`)
    return {
      ...(fact.format === 1
        ? { name: fact.fingerprint, fingerprint: fact.fingerprint }
        : { name: fact.name, salt: fact.salt }),
      budget: fact.budget,
      given: fact.budget,
      periods: [],
      runs: new Map(),
      attempts: [],
      charges: [],
      datasets: new Set(fact.format === 1 ? [fact.fingerprint] : []),
      adopted: new Map(),
      isMoved: false,
      statements: [],
    }
  }
  if (state.isMoved && fact.kind !== 'moved') throw contradiction('nothing after "moved"', `"${fact.kind}"`)
  switch (fact.kind) {
    case 'opened':
      throw contradiction('one "opened" only', 'a second one')
    case 'bound': {
      if (state.runs.has(fact.runId)) throw contradiction(`run ${fact.runId} to be bound once`, 'a second time')
      const { kind: _, dataset, ...run } = fact
      const unit = unitOfLedger(state)
      if (unit !== undefined && unit !== run.event.unit) {
        throw contradiction(`runs whose unit is the ${unit} only`, `one whose unit is the ${run.event.unit}`)
      }
      const datasets = withDataset(state, dataset, contradiction)
      return { ...state, datasets, runs: new Map(state.runs).set(run.runId, { ...run, agreedAt: at }) }
    }
    case 'charged': {
      const { kind: _, ...charge } = fact
      const datasets = withDataset(state, charge.dataset, contradiction)
      requireEvaluation(state, charge, contradiction)
      return { ...state, datasets, charges: [...state.charges, charge] }
    }
    case 'adopted':
      return adopt(state, fact, line, advance)
    case 'moved':
      return { ...state, isMoved: true }
    case 'owner':
      if (state.owner !== undefined) throw contradiction('one key of the data owner', 'a second one')
      return { ...state, owner: fact.publicKey }
    case 'stated': {
      const { statement } = fact
      if (statement.publicKey !== state.owner)
        throw contradiction('a statement of the data owner', 'one of another key')
      if (!isSigned(statement)) throw contradiction('a statement that its owner signed', 'another signature')
      return { ...state, statements: [...state.statements, statement] }
    }
    case 'renewed':
      return renew(state, fact, at, contradiction)
    case 'reserved': {
      const datasets = withDataset(state, fact.dataset, contradiction)
      return { ...state, datasets, attempts: [...state.attempts, newAttempt(state, fact, contradiction)] }
    }
    case 'stepped':
      return update(state, fact, { saved: { step: fact.step, sha256: fact.savedSha256 } }, contradiction, (attempt) => {
        if (attempt !== interruptedAttempt(state, fact.runId, fact.round))
          return 'the newest attempt of its round, made stepwise'
        const next = (attempt.saved?.step ?? 0) + 1
        const { steps } = attempt
        return fact.step === next && fact.step < steps ? undefined : `step ${next} of ${steps}, and not the last`
      })
    case 'shortened': {
      const shortened = 1 + (lastAttempt(state, fact.runId, fact.round)?.shortened ?? 0)
      return update(state, fact, { steps: fact.steps, shortened }, contradiction, (attempt) => {
        if (attempt !== attemptToGoOnWith(state, fact.runId, fact.round))
          return 'the newest attempt of its round, which broke off in this period'
        const kept = attempt.saved?.step ?? 0
        const fits = fact.step === kept && fact.steps === attempt.steps - 1 && fact.steps >= kept
        return fits ? undefined : `one step fewer than ${attempt.steps}, after step ${kept}`
      })
    }
    case 'finished':
      return update(state, fact, { frameSha256: fact.frameSha256 }, contradiction, (attempt) => {
        if (attempt !== lastAttempt(state, fact.runId, fact.round)) return 'the newest attempt of its round'
        return attempt.frameSha256 === undefined ? undefined : 'an attempt that is not finished yet'
      })
    case 'levelled': {
      const last = lastAttempt(state, fact.runId, fact.round)
      return update(state, fact, { levelled: (last?.levelled ?? 0) + 1 }, contradiction, (attempt) =>
        attempt === last ? undefined : 'the newest attempt of its round',
      )
    }
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
    case 'rule-fixed':
      if (state.rule !== undefined && hasSpent(state))
        throw contradiction('the rule that was fixed before the first release', 'another')
      return { ...state, rule: fact.rule }
    case 'recovered':
      return state
  }
}

type Contradiction = (expected: string, got: string) => FedsvdError

/** A new period begins, on the day that the data owner signed or later, and later than the one before. */
function renew(
  state: LedgerState,
  { statement: signature }: LedgerFactOf<'renewed'>,
  at: string | undefined,
  contradiction: Contradiction,
): LedgerState {
  const statement = state.statements.find((one) => one.signature === signature)
  if (statement?.kind !== 'renewal' || statement.budget !== state.name)
    throw contradiction('a renewal of this budget that the data owner signed', 'another')
  const { from, epsilon, delta } = statement
  const last = state.periods.at(-1)?.from
  if (last !== undefined && from <= last) throw contradiction(`a renewal from after ${last}`, `one from ${from}`)
  if (at !== undefined && dayOf(at) < from)
    throw contradiction(`a renewal from ${dayOf(at)} or before`, `one from ${from}`)
  const end = { from, given: state.given, attempts: state.attempts.length, charges: state.charges.length }
  const budget = { epsilon, delta }
  return { ...state, budget, given: budget, rule: undefined, periods: [...state.periods, end] }
}

/**
 * The data sets of a ledger and one more. A budget that is not the site's own pays for those alone of which the data
 * owner has signed that they share no people with any other.
 */
function withDataset(
  { name, fingerprint, datasets, statements }: LedgerState,
  dataset: string | undefined,
  contradiction: Contradiction,
): ReadonlySet<string> {
  const isNamed = fingerprint === undefined ? dataset !== undefined : dataset === undefined
  if (!isNamed)
    throw contradiction(fingerprint === undefined ? 'the data set' : 'no other data set', 'an entry without')
  if (dataset === undefined || datasets.has(dataset)) return datasets
  const isCovered = statements.some((one) => one.kind === 'disjoint' && one.budget === name && one.dataset === dataset)
  if (name !== SITE_BUDGET && !isCovered) throw contradiction('a data set that the data owner set apart', dataset)
  return new Set(datasets).add(dataset)
}

/** An evaluation spends what its run was bound to, in a round that was reserved. */
function requireEvaluation(
  state: LedgerState,
  { purpose, runId, round, event }: Omit<LedgerFactOf<'charged'>, 'kind'>,
  contradiction: Contradiction,
): void {
  if (round === undefined) return
  const bound = runId === undefined ? undefined : state.runs.get(runId)?.evaluation
  if (purpose !== 'evaluation' || bound === undefined || canonicalJson(bound.event) !== canonicalJson(event))
    throw contradiction('the evaluation that its run was bound to', 'another')
  if (lastAttempt(state, runId!, round) === undefined)
    throw contradiction('an evaluation of a round that was reserved', `round ${roundNumber(round)}`)
}

function newAttempt(
  state: LedgerState,
  { runId, round, attempt, event, stepwise, resumes, dataset = state.fingerprint }: LedgerFactOf<'reserved'>,
  contradiction: Contradiction,
): Attempt {
  const run = state.runs.get(runId)
  if (run === undefined) throw contradiction('a reservation for a bound run', `run ${runId}`)
  const { steps } = event
  const most = resumes === undefined ? run.event.steps : 1
  const isDue = canonicalJson({ ...run.event, steps }) === canonicalJson(event) && steps <= most
  if (!isDue) throw contradiction('the event of the bound terms', 'another')
  const last = lastAttempt(state, runId, round)
  const next = (last?.attempt ?? 0) + 1
  const which = `round ${roundNumber(round)}`
  if (attempt !== next) throw contradiction(`attempt ${next} of ${which}`, `attempt ${attempt}`)
  if (last?.frameSha256 !== undefined) throw contradiction(`no attempt after ${which} was finished`, 'one more')
  const key = { runId, round, attempt, dataset: dataset! }
  if (resumes === undefined) return { ...key, event, steps, ...(stepwise && { stepwise }) }
  const from = attemptToGoOnWith(state, runId, round)
  const fits = from?.attempt === resumes.attempt && (from.saved?.step ?? 0) === resumes.step && stepwise === true
  if (!fits) throw contradiction('an attempt to go on behind the last step that was kept', 'another')
  return { ...key, event, steps: from.steps, stepwise, resumes, saved: from.saved }
}

function update(
  state: LedgerState,
  key: AttemptKey,
  change: Partial<Attempt>,
  contradiction: Contradiction,
  /** What the attempt should be, when it is not. */
  fault: (attempt: Attempt) => string | undefined,
): LedgerState {
  const { runId, round, attempt } = key
  const index = state.attempts.findLastIndex(
    (one) => one.aside !== true && one.runId === runId && one.round === round && one.attempt === attempt,
  )
  const found = state.attempts[index]
  const expected = found === undefined ? 'an attempt that was reserved' : fault(found)
  if (found === undefined || expected !== undefined) {
    throw contradiction(expected ?? 'an attempt', `attempt ${attempt} of round ${roundNumber(round)} of run ${runId}`)
  }
  return { ...state, attempts: state.attempts.with(index, { ...found, ...change }) }
}
