import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { PrivacyEvent } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import { type Reservation, reservationFrom } from '@fedsvd/core/privacy'
import type { Budget } from '@fedsvd/core/protocol'
import { ACCOUNTANTS, type Accountants, requireBudget } from './budget.ts'
import { canonicalJson, chain, encodeEntry, genesisHash, sha256Hex } from './chain.ts'
import { appendDurably, makeFolderDurably, syncFolder } from './durable-files.ts'
import { type AttemptKey, LEDGER_FORMAT, type LedgerFact } from './entry.ts'
import { lockLedger } from './lock.ts'
import { advance, type BoundRun, type LedgerState, lastAttempt, replay, spentEvents } from './replay.ts'
import { verifyLedgerBytes } from './verify.ts'

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
  /** Agrees to a run's terms, once. The same terms again change nothing. @throws FedsvdError TERMS_CHANGED */
  bind(run: BoundRun): void
  /**
   * Pays for one more attempt at a round, before any noise is drawn.
   *
   * @throws FedsvdError BUDGET_EXHAUSTED (nothing is written), TERMS_CHANGED (unknown run, or a finished round)
   */
  reserve(runId: string, round: number): Reservation
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
  options: LedgerOptions = {},
): PrivacyLedger {
  const path = ledgerPath(stateDir, fingerprint)
  makeFolderDurably(dirname(path))
  using held = new DisposableStack()
  held.use(lockLedger(`${path}.lock`))
  const fd = openSync(path, 'a+', 0o600)
  held.defer(() => closeSync(fd))
  const ledger = openLocked(fd, path, fingerprint, budget, options)
  const mine = held.move()
  return { ...ledger, [Symbol.dispose]: () => mine.dispose() }
}
  if (verified.tail === 'torn') {
    const dropped = bytes.subarray(verified.wholeBytes)
    ftruncateSync(fd, verified.wholeBytes)
    fsyncSync(fd)
    if (state !== undefined) write({ kind: 'recovered', droppedBytes: dropped.length, droppedSha256: sha256Hex(dropped) })
  } else if (verified.tail === 'unterminated') {
    appendDurably(fd, Buffer.from('\n'))
  }
  if (state === undefined) {
    head = genesisHash(fingerprint)
    write({ kind: 'opened', format: LEDGER_FORMAT, fingerprint, budget })
    syncFolder(dirname(path))
  }
  const lowered = smaller(current().budget, budget)
  if (canonicalJson(lowered) !== canonicalJson(current().budget)) write({ kind: 'budget-lowered', budget: lowered })

  function current(): LedgerState {
    if (state === undefined) throw new TypeError('the ledger was opened above')
    return state
  }

  return {
    get state() {
      return current()
    },
    bind(run) {
      const known = current().runs.get(run.runId)
      if (known === undefined) write({ kind: 'bound', ...run })
      else requireSameTerms(known, run)
    },
    reserve(runId, round) {
      const run = current().runs.get(runId)
      if (run === undefined) throw termsChanged(`a run that this data set agreed to`, `run ${runId}`)
      const last = lastAttempt(current(), runId, round)
      if (last?.frameSha256 !== undefined) throw termsChanged(`no second result for round ${round}`, 'a request for one')
      requireBudget(spentEvents(current()), run.event, current().budget)
      const attempt = (last?.attempt ?? 0) + 1
      const entryHash = write({ kind: 'reserved', runId, round, attempt, event: run.event })
      return reservationFrom({ event: run.event, runId, round, attempt, datasetFingerprint: fingerprint, entryHash, durable: true })
    },
    finish(key, frameSha256) {
      write({ kind: 'finished', ...keyOf(key), frameSha256 })
    },
    acknowledge(key, outcome, code) {
      const found = lastAttempt(current(), key.runId, key.round)
      if (found?.frameSha256 === undefined || found.outcome !== undefined) return
      const { frameSha256 } = found
      write({ kind: 'acknowledged', ...keyOf(key), frameSha256, outcome, ...(code === undefined ? {} : { code }) })
    },
    [Symbol.dispose]() {
      closeSync(fd) // the operating system lets go of the lock, as it does when the process dies
    },
  }
}

/** The epsilon of one round of a run, as the ledger will record it. */
export function eventOfRun(manifest: { clipNorm: number; localSteps: number }, terms: { sampleRate: number; noiseMultiplier: number }): PrivacyEvent {
  return {
    mechanism: 'poisson-subsampled-gaussian',
    sampleRate: terms.sampleRate,
    noiseMultiplier: terms.noiseMultiplier,
    steps: manifest.localSteps,
    clipNorm: manifest.clipNorm,
    relation: 'add-or-remove-one',
    unit: 'record',
  }
}

function keyOf({ runId, round, attempt }: AttemptKey): AttemptKey {
  return { runId, round, attempt }
}

function smaller(recorded: Budget, asked: Budget): Budget {
  return { epsilon: Math.min(recorded.epsilon, asked.epsilon), delta: Math.min(recorded.delta, asked.delta) }
}

/** An operating-system lock on the open file: it ends with the process, however that ends, so it is never stale. */
function lock(fd: number, path: string): void {
  if (tryLock(fd)) return
  throw new FedsvdError('LEDGER_LOCKED', {
    expected: 'to be the only process that spends the budget of this data set',
    got: `another one that holds ${path}`,
    remedy: 'Stop the other client, or give this one other data.',
  })
}

function requireSameTerms(known: BoundRun, asked: BoundRun): void {
  const terms = ({ manifestSha256, terms, event }: BoundRun): string => canonicalJson({ manifestSha256, terms, event })
  if (terms(known) !== terms(asked)) {
    throw termsChanged(`the terms that were bound for run ${known.runId}`, 'a manifest, sampleRate or noiseMultiplier that differs')
  }
}

function termsChanged(expected: string, got: string): FedsvdError {
  return new FedsvdError('TERMS_CHANGED', { expected, got, remedy: 'Start a new run for new terms; nothing was spent.' })
}
