import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { FilterRule, PrivacyEvent } from '@fedsvd/core/accounting'
import { FedsvdError, roundNumber } from '@fedsvd/core/errors'
import {
  assertSavedStep,
  type DurableStep,
  durableStepFrom,
  type Reservation,
  reservationFrom,
  type SavedStep,
} from '@fedsvd/core/privacy'
import type { Budget, LedgerHead } from '@fedsvd/core/protocol'
import { isSigned, type OwnerStatement, statementInvalid } from '../owner/statement.ts'
import { adoptEarlier, type EarlierPlace, movedAway } from './adopt-earlier.ts'
import { smaller } from './adopted.ts'
import { type MakeFilter, requireBudget, requireEvaluationBudget } from './budget.ts'
import { canonicalJson } from './chain.ts'
import {
  type AttemptKey,
  type ChargePurpose,
  LEDGER_FORMAT,
  type LedgerFact,
  type LedgerFactOf,
  SITE_BUDGET,
} from './entry.ts'
import { LedgerFile } from './ledger-file.ts'
import { nextAttempt } from './next-attempt.ts'
import { dueRenewal } from './renewal.ts'
import { attemptToGoOnWith, type BoundRun, type LedgerState, lastAttempt } from './state.ts'
import { hashOfStep } from './step-hash.ts'
import { requireUnit } from './unit.ts'

/** Where the ledger of a budget is kept. */
export function ledgerPath(stateDir: string, name = SITE_BUDGET): string {
  return join(stateDir, 'ledgers', `${name}.jsonl`)
}

/**
 * The durable account of one budget, held by one process at a time: by default that of everything a site trains on.
 *
 * Every method that returns has its fact on stable storage first. A budget belongs to the people in the site's data: it
 * outlives data sets, runs, processes and coordinators. See `verify.ts` for what the file guarantees, `replay.ts` for
 * what the facts mean.
 */
export interface PrivacyLedger extends Disposable {
  readonly state: LedgerState
  /** Fingerprint of the data set that is trained on now; every entry that spends names it. */
  readonly fingerprint: string
  /** How far the ledger has come, as a coordinator is told; undefined while nothing is written. */
  readonly head: LedgerHead | undefined
  /** The hash of an entry, counted from 1; undefined where there is none. */
  hashAt(length: number): string | undefined
  /**
   * Agrees to a run's terms, once. The same terms again change nothing.
   *
   * @throws FedsvdError TERMS_CHANGED, SITE_DECLINED for a run of another unit of privacy than those before
   */
  bind(run: BoundRun): void
  /**
   * Pays for one more attempt at a round, before any noise is drawn. Each attempt is paid for, whatever becomes of it.
   * It has as many steps as the budget pays for, and no more than the run's rounds.
   *
   * @throws FedsvdError BUDGET_EXHAUSTED when the site, or what it granted to this run, pays for no step (nothing is
   *   written); TERMS_CHANGED for a run that was never bound, or a round that has its result already
   */
  reserve(runId: string, round: number): Reservation
  /**
   * Pays for going on with an attempt that broke off, behind the last step that was kept: for one step, the one that
   * may have begun and was lost. What remains of the round is paid for already. Where the budget has no step left, the
   * lost one is left out of the round instead. See docs/decisions/0070 and 0115.
   *
   * @throws FedsvdError BUDGET_EXHAUSTED where that leaves no step, or fewer than were kept; TERMS_CHANGED where no
   *   attempt at this data set broke off that was followed step by step
   */
  resume(runId: string, round: number): Reservation
  /**
   * Notes a step whose bytes are on stable storage; until then the next one does not begin.
   *
   * @throws FedsvdError RESERVATION_MISSING for what the mechanism did not make
   */
  stepped(saved: SavedStep): DurableStep
  /** Notes the frame that an attempt ended with; from now on the round has these bytes and no others. */
  finish(key: AttemptKey, frameSha256: string): void
  /**
   * Makes the newest attempt of a round as many lines long as one that came to its end: for a round that was ended from
   * outside. Nothing where there is none.
   */
  padToFullLength(runId: string, round: number): void
  /** Notes the coordinator's last word on a frame; a second word changes nothing. */
  acknowledge(key: AttemptKey, outcome: 'accepted' | 'duplicate' | 'refused', code?: string): void
  /**
   * Pays for something outside the rounds of a run, before its noise is drawn. Charged is spent, whatever becomes of
   * it.
   *
   * @param runId where it is for one run, which then has to pay for it as well
   * @throws FedsvdError BUDGET_EXHAUSTED (nothing is written); TERMS_CHANGED for a run that was never bound
   */
  charge(purpose: ChargePurpose, event: PrivacyEvent, runId?: string): PaidCharge
  /**
   * Pays for the evaluation of a round that is reserved, out of the budget of the units set aside, before one of them
   * is looked at. Each attempt pays anew, whatever became of the one before.
   *
   * @throws FedsvdError BUDGET_EXHAUSTED (nothing is written); TERMS_CHANGED for a run without evaluation, or a round
   *   that is not reserved
   */
  evaluate(runId: string, round: number): Reservation
  /**
   * Takes in a statement of the data owner, once. The first one fixes the owner's key.
   *
   * @throws FedsvdError STATEMENT_INVALID for one that is not signed, or by another key than the first
   */
  accept(statement: OwnerStatement): void
  /**
   * Begins a new period of the budget where the data owner has signed one whose day has come. The budget that the
   * client was started with holds in it too where it is the smaller one.
   *
   * @returns the day from which the period holds; undefined where none begins
   */
  renewIfDue(): string | undefined
}

export interface LedgerOptions {
  /** For the time stamps, which are for people only. */
  readonly now?: () => Date
  /** For tests of what the ledger makes of its filter's answers. */
  readonly makeFilter?: MakeFilter
  /** Name of the budget; default: that of the site. */
  readonly name?: string
  /**
   * What opening the ledger would write, the budget or a lower one, is written with the first fact that follows: a
   * start that fails binds nobody.
   */
  readonly deferred?: boolean
  /** Let go of together with the ledger. */
  readonly beside?: Disposable
  /** State folders of earlier releases and other places, whose ledgers count in this one. */
  readonly earlier?: readonly EarlierPlace[]
}

/** A charge on stable storage: its noise may be drawn. */
export interface PaidCharge {
  readonly event: PrivacyEvent
  readonly entryHash: string
}

/**
 * Opens (or creates) the ledger of a budget, verifies all of it, cuts off a torn last line, and holds it exclusively.
 *
 * The site's ledger adopts every ledger of format 1 in its folder and in those of `earlier`: what they spent counts,
 * and their budgets are upper bounds of this one. A budget that differs from the recorded one can only lower it: the
 * smaller of both holds from now on.
 *
 * @param fingerprint of the data set that is trained on
 * @throws FedsvdError LEDGER_LOCKED when another process holds it or an adopted one, LEDGER_DAMAGED when a chain is
 *   broken, LEDGER_MISMATCH when an adopted ledger has a past that differs from what was adopted
 */
export function openLedger(
  stateDir: string,
  fingerprint: string,
  budget: Budget,
  {
    now = () => new Date(),
    makeFilter,
    name = SITE_BUDGET,
    earlier = [],
    deferred = false,
    beside,
  }: LedgerOptions = {},
): PrivacyLedger {
  const file = openFile(stateDir, name, budget, { now, earlier, deferred })
  const current = (): LedgerState => file.state!
  const whose = name === SITE_BUDGET ? 'this site' : `the budget ${name}`
  const paid = { datasetFingerprint: fingerprint, durable: true, stepwise: true }
  const dataset = fingerprint

  /**
   * Appends a fact that spends, once the budgets allow it; the ledger's rule is on stable storage before the first one.
   */
  const spend = (fact: LedgerFactOf<'reserved' | 'charged'>, run?: BoundRun): string => {
    const rule = requireBudget(current(), fact.event, { run, whose, makeFilter, dataset })
    return spendByRule(fact, rule)
  }

  const spendByRule = (fact: LedgerFactOf<'reserved' | 'charged'>, rule: FilterRule): string => {
    if (canonicalJson(rule) !== canonicalJson(current().rule ?? null)) file.append({ kind: 'rule-fixed', rule })
    return file.append(fact)
  }

  return {
    fingerprint,
    get state() {
      return current()
    },
    get head() {
      const head = file.hashes.at(-1)
      return head === undefined ? undefined : { length: file.hashes.length, head }
    },
    hashAt: (length) => file.hashes[length - 1],
    bind(run) {
      const known = current().runs.get(run.runId)
      if (known !== undefined) return requireSameTerms(known, run)
      requireUnit(current(), run.event.unit)
      file.append({ kind: 'bound', dataset, ...run })
    },
    reserve(runId, round) {
      const run = current().runs.get(runId)
      if (run === undefined) throw termsChanged('a run that this site agreed to', `run ${runId}`)
      const last = lastAttempt(current(), runId, round)
      if (last?.frameSha256 !== undefined)
        throw termsChanged(`no second result for round ${roundNumber(round)}`, 'a request for one')
      const { steps } = nextAttempt(current(), run, round, { canResume: false, dataset, whose, makeFilter })
      const event = { ...run.event, steps }
      const key = { runId, round, attempt: (last?.attempt ?? 0) + 1 }
      const entryHash = spend({ kind: 'reserved', ...key, dataset, event, stepwise: true }, run)
      return reservationFrom({ ...paid, ...key, event, entryHash })
    },
    resume(runId, round) {
      const run = current().runs.get(runId)
      if (run === undefined || attemptToGoOnWith(current(), runId, round) === undefined)
        throw termsChanged(`an attempt at round ${roundNumber(round)} that broke off between its steps`, 'none')
      const next = nextAttempt(current(), run, round, { dataset, whose, makeFilter })
      if (next.kind === 'anew') throw termsChanged(`an attempt at round ${roundNumber(round)} to go on with`, 'none')
      const { from, steps } = next
      const resumes = { attempt: from.attempt, step: from.saved?.step ?? 0 }
      const resumption = { ...resumes, steps, savedSha256: from.saved?.sha256 }
      if (next.kind === 'shorten') {
        const key = keyOf(from)
        const entryHash = file.append({ kind: 'shortened', ...key, step: resumes.step, steps })
        return reservationFrom({
          ...paid,
          ...key,
          event: from.event,
          entryHash,
          resumes: { ...resumption, shortened: true },
        })
      }
      const event = { ...run.event, steps: 1 }
      const key = { runId, round, attempt: from.attempt + 1 }
      const entryHash = spend({ kind: 'reserved', ...key, dataset, event, stepwise: true, resumes }, run)
      return reservationFrom({ ...paid, ...key, event, entryHash, resumes: resumption })
    },
    stepped(saved) {
      assertSavedStep(saved)
      const key = keyOf(saved.reserved)
      const { step } = saved
      file.append({ kind: 'stepped', ...key, step, savedSha256: hashOfStep(saved) })
      return durableStepFrom({ ...key, step, durable: true })
    },
    finish(key, frameSha256) {
      file.append({ kind: 'finished', ...keyOf(key), frameSha256 })
    },
    padToFullLength(runId, round) {
      const last = lastAttempt(current(), runId, round)
      if (last === undefined) return
      const from = last.resumes?.step ?? 0
      const kept = last.saved?.step ?? 0
      const written = kept - from + (last.frameSha256 === undefined ? 0 : 1)
      const missing = Math.max(last.steps, kept + 1) - from - written - (last.levelled ?? 0)
      const fact = { kind: 'levelled', ...keyOf(last) } as const
      if (missing > 0) file.append(...Array.from({ length: missing }, () => fact))
    },
    acknowledge(key, outcome, code) {
      const found = lastAttempt(current(), key.runId, key.round)
      if (found?.frameSha256 === undefined || found.outcome !== undefined) return
      const { frameSha256 } = found
      file.append({
        kind: 'acknowledged',
        ...keyOf(key),
        frameSha256,
        outcome,
        ...(code === undefined ? {} : { code }),
      })
    },
    charge(purpose, event, runId) {
      const run = runId === undefined ? undefined : current().runs.get(runId)
      if (runId !== undefined && run === undefined) throw termsChanged('a run that this site agreed to', `run ${runId}`)
      requireUnit(current(), event.unit)
      const entryHash = spend({ kind: 'charged', purpose, dataset, ...(runId !== undefined && { runId }), event }, run)
      return { event, entryHash }
    },
    evaluate(runId, round) {
      const run = current().runs.get(runId)
      const attempt = lastAttempt(current(), runId, round)
      if (run?.evaluation === undefined || attempt === undefined)
        throw termsChanged(
          'a round with an evaluation that was reserved',
          `round ${roundNumber(round)} of run ${runId}`,
        )
      const { event } = run.evaluation
      const rule = requireEvaluationBudget(
        current(),
        { ...run, evaluation: run.evaluation },
        { whose, makeFilter, dataset },
      )
      const entryHash = spendByRule({ kind: 'charged', purpose: 'evaluation', dataset, runId, round, event }, rule)
      return reservationFrom({
        event,
        runId,
        round,
        attempt: attempt.attempt,
        datasetFingerprint: fingerprint,
        durable: true,
        entryHash,
      })
    },
    accept(statement) {
      const { owner, statements } = current()
      if (!isSigned(statement)) throw statementInvalid('a signature of the data owner', 'another signature')
      if (owner !== undefined && owner !== statement.publicKey)
        throw statementInvalid(`a statement of the data owner with the key ${owner}`, `one of ${statement.publicKey}`)
      if (statements.some(({ signature }) => signature === statement.signature)) return
      // A renewal binds with the first agreement, as the budget does; a statement on data stands for itself.
      const isDeferred = deferred && statement.kind === 'renewal'
      const write = (fact: LedgerFact): unknown => (isDeferred ? file.defer(fact) : file.append(fact))
      if (owner === undefined) write({ kind: 'owner', publicKey: statement.publicKey })
      write({ kind: 'stated', statement })
    },
    renewIfDue() {
      const due = dueRenewal(current(), now())
      if (due === undefined) return undefined
      const given = { epsilon: due.epsilon, delta: due.delta }
      const lowered = smaller(given, budget)
      const isLowered = canonicalJson(lowered) !== canonicalJson(given)
      const facts: readonly LedgerFact[] = [
        { kind: 'renewed', statement: due.signature },
        ...(isLowered ? [{ kind: 'budget-lowered' as const, budget: lowered }] : []),
      ]
      if (deferred) for (const fact of facts) file.defer(fact)
      else file.append(...facts)
      return due.from
    },
    [Symbol.dispose]() {
      file[Symbol.dispose]()
      beside?.[Symbol.dispose]()
    },
  }
}

function openFile(
  stateDir: string,
  name: string,
  budget: Budget,
  { now, earlier, deferred }: Required<Pick<LedgerOptions, 'now' | 'earlier' | 'deferred'>>,
): LedgerFile {
  const path = ledgerPath(stateDir, name)
  const file = new LedgerFile(path, name, now)
  try {
    const salt = randomBytes(32).toString('hex')
    const write = (fact: LedgerFact): unknown => (deferred ? file.defer(fact) : file.append(fact))
    if (file.state === undefined) write({ kind: 'opened', format: LEDGER_FORMAT, name, salt, budget })
    if (file.state?.isMoved) throw movedAway(path)
    if (name === SITE_BUDGET) adoptEarlier(file, [{ stateDir }, ...earlier], path, now)
    const lowered = smaller(file.state!.budget, budget)
    if (canonicalJson(lowered) !== canonicalJson(file.state!.budget)) write({ kind: 'budget-lowered', budget: lowered })
    return file
  } catch (error) {
    file[Symbol.dispose]()
    throw error
  }
}

function keyOf({ runId, round, attempt }: AttemptKey): AttemptKey {
  return { runId, round, attempt }
}

function requireSameTerms(known: BoundRun, asked: BoundRun): void {
  const promise = ({ manifestSha256, terms, event }: BoundRun): string =>
    canonicalJson({ manifestSha256, terms, event })
  if (promise(known) === promise(asked)) return
  throw termsChanged(
    `the terms that were bound for run ${known.runId}`,
    'a manifest, sampleRate or noiseMultiplier that differs',
  )
}

function termsChanged(expected: string, got: string): FedsvdError {
  return new FedsvdError('TERMS_CHANGED', {
    expected,
    got,
    remedy: 'Start a new run for new terms; nothing was spent.',
  })
}
