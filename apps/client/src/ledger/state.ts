import type { FilterRule, PrivacyEvent } from '@fedsvd/core/accounting'
import type { Budget, PrivacyTerms } from '@fedsvd/core/protocol'
import type { OwnerStatement } from '../owner/statement.ts'
import type { AttemptKey, ChargePurpose } from './entry.ts'

/** What a site agreed to for one run. */
export interface BoundRun {
  readonly runId: string
  readonly coordinator: string
  readonly manifestSha256: string
  readonly terms: PrivacyTerms
  readonly event: PrivacyEvent
  /** When, by the clock of this machine: for people, and for the months of a site's policy. */
  readonly agreedAt?: string | undefined
  /** Where the run evaluates at the sites: the share of units set aside, and what one evaluation spends. */
  readonly evaluation?: { readonly share: number; readonly event: PrivacyEvent } | undefined
}

/** One reservation and how far it came. */
export interface Attempt extends AttemptKey {
  /** Fingerprint of the data set that it trains on. */
  readonly dataset: string
  /**
   * Of an adopted ledger, for a run or a round that this one holds otherwise: it is spent, and counts for nothing else.
   */
  readonly aside?: true | undefined
  /** What it was charged: the round, or the one step for which it resumes another. */
  readonly event: PrivacyEvent
  /** With so many steps its round ends. */
  readonly steps: number
  /** How often it was gone on with for nothing, see `shortened` in `entry.ts`: it was a release each time before. */
  readonly shortened?: number
  readonly stepwise?: true | undefined
  /** The attempt that this one goes on from, and the step behind which it begins; undefined where it began anew. */
  readonly resumes?: { readonly attempt: number; readonly step: number } | undefined
  /** The last step that was kept, by this attempt or by those that it goes on from; undefined before the first. */
  readonly saved?: { readonly step: number; readonly sha256: string } | undefined
  /** Lines that say nothing, see `levelled` in `entry.ts`. */
  readonly levelled?: number
  readonly frameSha256?: string
  readonly outcome?: 'accepted' | 'duplicate' | 'refused'
}

/** Something that was paid for outside the rounds of a run. */
export interface Charge {
  readonly purpose: ChargePurpose
  readonly dataset: string
  readonly runId?: string | undefined
  /** It is the evaluation of this round. */
  readonly round?: number | undefined
  readonly event: PrivacyEvent
}

/** A ledger that counts in another one. */
export interface AdoptedLedger {
  readonly name: string
  /** Of each of its lines, in order. */
  readonly hashes: readonly string[]
  readonly state: LedgerState
}

/** Everything that a ledger says, in memory. Epsilon is not in it: it is computed from the events on demand. */
export interface LedgerState {
  /** Name of the budget; of a ledger of format 1, the fingerprint of its one data set. */
  readonly name: string
  /** The one data set of a ledger of format 1. */
  readonly fingerprint?: string | undefined
  readonly budget: Budget
  /** Random, and never leaves the site; undefined in a ledger of format 1. */
  readonly salt?: string | undefined
  /** How events are held against the budget; undefined before the first release, and in ledgers from before rules. */
  readonly rule?: FilterRule | undefined
  readonly runs: ReadonlyMap<string, BoundRun>
  /** All reservations in the order in which they were made, with their progress. Each one is spent. */
  readonly attempts: readonly Attempt[]
  readonly charges: readonly Charge[]
  /** Fingerprints of all data sets that runs were agreed on or charges made for. */
  readonly datasets: ReadonlySet<string>
  /** By the hash of their first line. */
  readonly adopted: ReadonlyMap<string, AdoptedLedger>
  /** True when another ledger has adopted this one. */
  readonly isMoved: boolean
  /** Public key of the data owner, once it was used. */
  readonly owner?: string | undefined
  readonly statements: readonly OwnerStatement[]
}

/** The newest attempt of a round, or undefined when the round has none. */
export function lastAttempt(state: LedgerState, runId: string, round: number): Attempt | undefined {
  return state.attempts.findLast(({ aside, ...one }) => aside !== true && one.runId === runId && one.round === round)
}

/**
 * The attempt of a round that broke off and can be gone on with for one step's payment; undefined where there is none.
 */
export function interruptedAttempt(state: LedgerState, runId: string, round: number): Attempt | undefined {
  const last = lastAttempt(state, runId, round)
  return last?.stepwise === true && last.frameSha256 === undefined ? last : undefined
}

/**
 * Every event that was spent, by rounds and outside them, of everything or of one run: by each unit that no run has set
 * aside. What was spent by others: `spentByClass`.
 */
export function spentEvents(state: LedgerState, runId?: string): readonly PrivacyEvent[] {
  return [...state.attempts, ...state.charges.filter(({ round }) => round === undefined)]
    .filter((spending) => runId === undefined || spending.runId === runId)
    .map(({ event }) => event)
}

/**
 * How many releases there were at most, of everything or of one run: each attempt ends with one, each time that it is
 * begun. An evaluation leaves with its round.
 */
export function releasesOf(state: LedgerState, runId?: string): number {
  const again = state.attempts
    .filter((attempt) => runId === undefined || attempt.runId === runId)
    .reduce((sum, { shortened = 0 }) => sum + shortened, 0)
  return spentEvents(state, runId).length + again
}
