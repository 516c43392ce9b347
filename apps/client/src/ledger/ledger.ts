import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import {
  assertSavedStep,
  type DurableStep,
  durableStepFrom,
  type Reservation,
  reservationFrom,
  type SavedStep,
} from '@fedsvd/core/privacy'
import type { Budget } from '@fedsvd/core/protocol'
import { ACCOUNTANTS, type Accountants, requireBudget } from './budget.ts'
import { canonicalJson, sha256Hex } from './chain.ts'
import { type AttemptKey, LEDGER_FORMAT } from './entry.ts'
import { LedgerFile } from './ledger-file.ts'
import { type BoundRun, brokenOff, type LedgerState, lastAttempt, spentEvents } from './replay.ts'
import { requireUnit } from './unit.ts'

/** Where the ledger of a data set is kept. */
export function ledgerPath(stateDir: string, fingerprint: string): string {
  return join(stateDir, 'ledgers', `${fingerprint}.jsonl`)
}

/**
 * The durable account of one data set's privacy, held by one process at a time.
 *
 * Every method that returns has its fact on stable storage first. Budgets belong to the data: they outlive runs, processes
 * and coordinators. See `verify.ts` for what the file guarantees, `replay.ts` for what the facts mean.
 */
export interface PrivacyLedger extends Disposable {
  readonly state: LedgerState
  /**
   * Agrees to a run's terms, once. The same terms again change nothing.
   *
   * @throws FedsvdError TERMS_CHANGED, SITE_DECLINED for a run of another unit of privacy than those before
   */
  bind(run: BoundRun): void
  /**
   * Pays for one more attempt at a round, before any noise is drawn. Each attempt is paid for, whatever becomes of it.
   *
   * @throws FedsvdError BUDGET_EXHAUSTED when the data set, or what it granted to this run, cannot pay (nothing is written);
   *   TERMS_CHANGED for a run that was never bound, or a round that has its result already
   */
  reserve(runId: string, round: number): Reservation
  /**
   * Pays for going on with an attempt that broke off, behind the last step that was kept: for one step, the one that may have
   * begun and was lost. What remains of the round is paid for already. See docs/decisions/0070.
   *
   * @throws FedsvdError BUDGET_EXHAUSTED as `reserve`; TERMS_CHANGED where no attempt broke off that was followed step by step
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
  /** Notes the coordinator's last word on a frame; a second word changes nothing. */
  acknowledge(key: AttemptKey, outcome: 'accepted' | 'duplicate' | 'refused', code?: string): void
}

export interface LedgerOptions {
  /** For the time stamps, which are for people only. */
  readonly now?: () => Date
  readonly accountants?: Accountants
}

/**
 * Opens (or creates) the ledger of a data set, verifies all of it, cuts off a torn last line, and holds it exclusively.
 *
 * A budget that differs from the recorded one can only lower it: the smaller of both holds from now on.
 *
 * @throws FedsvdError LEDGER_LOCKED when another process holds it, LEDGER_DAMAGED when the chain is broken
 */
export function openLedger(
  stateDir: string,
  fingerprint: string,
  budget: Budget,
  { now = () => new Date(), accountants = ACCOUNTANTS }: LedgerOptions = {},
): PrivacyLedger {
  const file = new LedgerFile(ledgerPath(stateDir, fingerprint), fingerprint, now)
  if (file.state === undefined) file.append({ kind: 'opened', format: LEDGER_FORMAT, fingerprint, budget })
  const current = (): LedgerState => file.state!
  const lowered = smaller(current().budget, budget)
  if (canonicalJson(lowered) !== canonicalJson(current().budget))
    file.append({ kind: 'budget-lowered', budget: lowered })

  const paid = { datasetFingerprint: fingerprint, durable: true, stepwise: true }
  return {
    get state() {
      return current()
    },
    bind(run) {
      const known = current().runs.get(run.runId)
      if (known !== undefined) return requireSameTerms(known, run)
      requireUnit(current(), run.event.unit)
      file.append({ kind: 'bound', ...run })
    },
    reserve(runId, round) {
      const run = current().runs.get(runId)
      if (run === undefined) throw termsChanged('a run that this data set agreed to', `run ${runId}`)
      const last = lastAttempt(current(), runId, round)
      if (last?.frameSha256 !== undefined)
        throw termsChanged(`no second result for round ${round}`, 'a request for one')
      const { event, terms } = run
      requireBudget(spentEvents(current(), runId), event, terms.budget, 'this run', accountants)
      requireBudget(spentEvents(current()), event, current().budget, 'this data set', accountants)
      const key = { runId, round, attempt: (last?.attempt ?? 0) + 1 }
      const entryHash = file.append({ kind: 'reserved', ...key, event, stepwise: true })
      return reservationFrom({ ...paid, ...key, event, entryHash })
    },
    resume(runId, round) {
      const run = current().runs.get(runId)
      const from = brokenOff(current(), runId, round)
      if (run === undefined || from === undefined)
        throw termsChanged(`an attempt at round ${round} that broke off between its steps`, 'none')
      const event = { ...run.event, steps: 1 }
      requireBudget(spentEvents(current(), runId), event, run.terms.budget, 'this run', accountants)
      requireBudget(spentEvents(current()), event, current().budget, 'this data set', accountants)
      const key = { runId, round, attempt: from.attempt + 1 }
      const resumes = { attempt: from.attempt, step: from.saved?.step ?? 0 }
      const entryHash = file.append({ kind: 'reserved', ...key, event, stepwise: true, resumes })
      const { steps } = run.event
      const resumption = { ...resumes, steps, savedSha256: from.saved?.sha256 }
      return reservationFrom({ ...paid, ...key, event, entryHash, resumes: resumption })
    },
    stepped(saved) {
      assertSavedStep(saved)
      const key = keyOf(saved.reserved)
      const { step } = saved
      file.append({ kind: 'stepped', ...key, step, savedSha256: sha256Hex(saved.bytes) })
      return durableStepFrom({ ...key, step, durable: true })
    },
    finish(key, frameSha256) {
      file.append({ kind: 'finished', ...keyOf(key), frameSha256 })
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
    [Symbol.dispose]() {
      file[Symbol.dispose]()
    },
  }
}

function keyOf({ runId, round, attempt }: AttemptKey): AttemptKey {
  return { runId, round, attempt }
}

function smaller(recorded: Budget, asked: Budget): Budget {
  return { epsilon: Math.min(recorded.epsilon, asked.epsilon), delta: Math.min(recorded.delta, asked.delta) }
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
