import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type FilterRule, pld, rdp, type SiteUnit } from '@fedsvd/core/accounting'
import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import { deltaOfFigures } from '@fedsvd/core/privacy'
import type { Budget } from '@fedsvd/core/protocol'
import { atFile } from '@fedsvd/engine/files'
import { ruleOf } from './budget.ts'
import { type BudgetInUse, budgetInUse } from './charged.ts'
import type { LedgerEntry } from './entry.ts'
import { replay } from './replay.ts'
import { releasesOf, spentEvents } from './state.ts'
import { worstOfClasses } from './unit-classes.ts'
import { type VerifiedLedger, verifyLedgerBytes } from './verify.ts'

/** What an owner sees of one ledger: its facts, and what they add up to at its own delta. */
export interface LedgerView {
  readonly path: string
  /** Of the budget; of a ledger of format 1, the fingerprint of its data set. */
  readonly name: string
  /** Fingerprints of the data sets that spent by it, those of adopted ledgers included. */
  readonly datasets: readonly string[]
  /** The site's ledger has adopted this one: what it spent counts there, and nothing is spent by it any more. */
  readonly isMoved: boolean
  readonly entries: readonly LedgerEntry[]
  readonly budget: Budget
  /** Events outside rounds. */
  readonly charges: number
  /** Reservations, each of them spent, and how many of them never became a frame. */
  readonly reservations: number
  readonly unfinished: number
  /** Noised steps of all of these. */
  readonly steps: number
  /** What one unit is; undefined before the first run. */
  readonly unit: SiteUnit | undefined
  /**
   * An odometer: what the events so far cost had they been fixed beforehand, at `budget.delta` less what each release
   * takes of it that may have missed its slot of time, for that unit, add or remove one. The guarantee is the budget,
   * which the filter of `rule` enforces.
   */
  readonly epsilonPld: number
  readonly epsilonRdp: number
  /** By which rule the budget is enforced; undefined as long as nothing was released. */
  readonly rule?: FilterRule | undefined
  /** What that rule charges for the events so far. */
  readonly epsilonCharged: number
  /**
   * `budget.epsilon` less `epsilonCharged`. Epsilon does not simply add up: what a new run buys is found by
   * calibration.
   */
  readonly remaining: number
  /** There where the data owner renewed the budget: what `epsilonCharged` and the figures above it count since then. */
  readonly renewed?: BudgetInUse['renewed']
  readonly tail: VerifiedLedger['tail']
}

/**
 * The files of a place: one ledger file, or the state folder of a client with all its ledgers.
 *
 * @throws FedsvdError CONFIG_INVALID when there is none
 */
export function ledgerFiles(place: string): readonly string[] {
  if (place.endsWith('.jsonl')) return [place]
  const folder = join(place, 'ledgers')
  const files = namesIn(folder).filter((name) => name.endsWith('.jsonl'))
  if (files.length > 0) return files.sort().map((name) => join(folder, name))
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'a ledger file, or a state folder with ledgers',
    got: place,
    remedy: 'Give the folder that --state-dir named when the client joined.',
  })
}

/**
 * Reads ledgers for people. Changes nothing and takes no lock, so it can be used while a client runs; an entry that is
 * being written at this very moment shows as a torn tail.
 *
 * @throws FedsvdError LEDGER_DAMAGED, CONFIG_INVALID
 */
export function showLedger(place: string): readonly LedgerView[] {
  const opened = ledgerFiles(place).flatMap((path) => {
    const { name, entries, tail } = readVerified(path)
    const state = replay(entries)
    return state === undefined ? [] : [{ path, name, entries, tail, state }]
  })
  if (opened.length === 0) throw notOpened(place)
  return opened.map(({ path, name, entries, tail, state }) => {
    // as it is enforced: each release may have missed its slot of time
    const delta = deltaOfFigures(state.budget.delta, releasesOf(state))
    const events = spentEvents(state)
    const { budget, unit, epsilonCharged, remaining, renewed } = budgetInUse(state)
    return {
      path,
      name,
      datasets: [...state.datasets],
      isMoved: state.isMoved,
      entries,
      budget,
      unit,
      charges: state.charges.length,
      reservations: state.attempts.length,
      unfinished: state.attempts.filter(({ frameSha256 }) => frameSha256 === undefined).length,
      steps: events.reduce((sum, { steps }) => sum + steps, 0),
      epsilonPld: worstOfClasses(state, (spent) => pld.epsilonUpperBound(spent, delta)),
      epsilonRdp: worstOfClasses(state, (spent) => rdp.epsilonUpperBound(spent, delta)),
      rule: ruleOf(state),
      epsilonCharged,
      remaining,
      ...(renewed && { renewed }),
      tail,
    }
  })
}

/** The verdict on one ledger file. */
export interface LedgerVerdict {
  readonly path: string
  readonly entries: number
  /** Hash of the last entry. Kept elsewhere, it proves later that nothing was cut off. */
  readonly head?: string
  readonly tail?: VerifiedLedger['tail']
  readonly fault?: FedsvdError
}

/** Verifies chain and meaning of every ledger of a place; a damaged one is a verdict, not an exception. */
export function verifyLedger(place: string): readonly LedgerVerdict[] {
  return ledgerFiles(place).map((path) => {
    try {
      const { entries, head, tail } = readVerified(path)
      replay(entries)
      return { path, entries: entries.length, head, tail }
    } catch (fault) {
      if (isFedsvdError(fault)) return { path, entries: 0, fault }
      throw fault
    }
  })
}

function readVerified(path: string): VerifiedLedger & { name: string } {
  const name = basename(path, '.jsonl')
  return { name, ...verifyLedgerBytes(readBytes(path), name) }
}

function readBytes(path: string): Uint8Array {
  return atFile(path, () => readFileSync(path))
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return []
  }
}

function notOpened(path: string): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', {
    expected: 'a ledger that has agreed to a run',
    got: `no entry in ${path}`,
    remedy: 'Nothing was spent. A client writes its ledger with the first run that it agrees to.',
  })
}
