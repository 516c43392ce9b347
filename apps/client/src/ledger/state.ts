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

/** Where a period of the budget ended and the next one began. */
export interface PeriodEnd {
  /** The day from which the next period holds, in UTC, as the data owner signed it. */
  readonly from: string
  /** The budget that the period before had been given. */
  readonly given: Budget
  /** So many attempts and charges belong to the periods before. */
  readonly attempts: number
  readonly charges: number
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
  /** What the period that counts now was given; `budget` may have been lowered since. */
  readonly given: Budget
  /** The ends of the periods that are over. */
  readonly periods: readonly PeriodEnd[]
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

/** True for an attempt of the period that counts now: one of an earlier period is not gone on with. */
export function isOfThisPeriod(state: LedgerState, attempt: Attempt): boolean {
  return state.attempts.indexOf(attempt) >= (state.periods.at(-1)?.attempts ?? 0)
}

/** The attempt of a round that is gone on with: one that broke off in this period. */
export function attemptToGoOnWith(state: LedgerState, runId: string, round: number): Attempt | undefined {
  const broken = interruptedAttempt(state, runId, round)
  return broken !== undefined && isOfThisPeriod(state, broken) ? broken : undefined
}

/** Attempts and charges that count: of the period of the budget that counts now, or of one run in all periods. */
export function countedIn(state: LedgerState, runId?: string): Pick<LedgerState, 'attempts' | 'charges'> {
  const { attempts, charges } = state.periods.at(-1) ?? { attempts: 0, charges: 0 }
  if (runId === undefined) return { attempts: state.attempts.slice(attempts), charges: state.charges.slice(charges) }
  const isOfRun = (spending: { readonly runId?: string | undefined }): boolean => spending.runId === runId
  return { attempts: state.attempts.filter(isOfRun), charges: state.charges.filter(isOfRun) }
}

/**
 * Every event that was spent, by rounds and outside them, in the period of the budget that counts now, or in one run,
 * whose grant is for all of it: by each unit that no run has set aside. What was spent by others: `spentByClass`.
 */
export function spentEvents(state: LedgerState, runId?: string): readonly PrivacyEvent[] {
  const { attempts, charges } = countedIn(state, runId)
  return [...attempts, ...charges.filter(({ round }) => round === undefined)].map(({ event }) => event)
}

/** True where anything was paid for in this period, evaluations included. */
export function hasSpent(state: LedgerState): boolean {
  const { attempts, charges } = countedIn(state)
  return attempts.length + charges.length > 0
}

/** The first attempt that counts in this period. */
export function firstAttempt(state: LedgerState): Attempt | undefined {
  return countedIn(state).attempts[0]
}

/**
 * How many releases there were at most, in this period or in one run: each attempt ends with one, each time that it is
 * begun. An evaluation leaves with its round.
 */
export function releasesOf(state: LedgerState, runId?: string): number {
  const again = countedIn(state, runId).attempts.reduce((sum, { shortened = 0 }) => sum + shortened, 0)
  return spentEvents(state, runId).length + again
}
