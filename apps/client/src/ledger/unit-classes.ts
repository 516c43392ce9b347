import type { PrivacyEvent } from '@fedsvd/core/accounting'
import { countedIn, type LedgerState } from './state.ts'

/**
 * Which units an event is about. A run that evaluates at the sites sets units aside by their place in [0, 1), which
 * follows from each unit alone and stays the same for a data set: those below its share. Its steps are about the units
 * from its share on, its evaluations about those below.
 */
export interface Spending {
  readonly event: PrivacyEvent
  readonly dataset: string
  /** The share that is set aside; 0 where the run sets none aside. */
  readonly share: number
  /** Undefined: all units, whichever were set aside. */
  readonly side: 'trained' | 'evaluated' | undefined
}

/** More classes than this are not told apart: everything counts for everybody, which is never too little. */
const MOST_CLASSES = 256

/** Everything that was spent in the period of the budget that counts now, by the units that it is about. */
export function spendingOfUnits(state: LedgerState): readonly Spending[] {
  const { attempts, charges } = countedIn(state)
  const { runs } = state
  const shareOf = (runId: string | undefined): number => (runId && runs.get(runId)?.evaluation?.share) || 0
  return [
    ...attempts.map(({ event, dataset, runId, aside }): Spending => {
      // What was set aside on adoption may be of other terms than the run that has its identifier here.
      return { event, dataset, share: aside ? 0 : shareOf(runId), side: 'trained' }
    }),
    ...charges.map(({ event, dataset, runId, round }): Spending => {
      return { event, dataset, share: shareOf(runId), side: round === undefined ? undefined : 'evaluated' }
    }),
  ]
}

/**
 * The events of each class of units that has its own: units are of one class when they lie on the same side of every
 * share, in each data set. A unit's place in one data set says nothing about its place in another, so each combination
 * of them counts. What is enforced for every class is enforced for every unit.
 *
 * Nothing is lost by looking at classes one by one: a unit's own events are those of its class, whatever else was
 * released follows the same distribution with the unit and without it (docs/decisions/0167).
 */
export function eventsByClass(spending: readonly Spending[]): readonly (readonly Spending[])[] {
  const shares = new Map<string, Set<number>>()
  for (const { dataset, share } of spending) {
    shares.set(dataset, (shares.get(dataset) ?? new Set([0])).add(share))
  }
  const count = [...shares.values()].reduce((product, of) => product * of.size, 1)
  if (count > MOST_CLASSES) return [spending]
  // The least place of each interval between two shares stands for all of it.
  let classes: ReadonlyMap<string, number>[] = [new Map()]
  for (const [dataset, places] of shares) {
    classes = classes.flatMap((one) => [...places].map((place) => new Map(one).set(dataset, place)))
  }
  return classes.map((places) => spending.filter((one) => isAbout(one, places.get(one.dataset)!)))
}

/** What each class of units that `next` is about has spent before it. */
export function spentBefore(state: LedgerState, next: Spending): readonly (readonly PrivacyEvent[])[] {
  return classesOf(state, [...spendingOfUnits(state), next])
    .filter((spending) => spending.includes(next))
    .map((spending) => spending.filter((one) => one !== next).map(({ event }) => event))
}

/** What each class of units has spent; the worst of them is what the ledger has. */
export function spentByClass(state: LedgerState): readonly (readonly PrivacyEvent[])[] {
  return classesOf(state, spendingOfUnits(state)).map((spending) => spending.map(({ event }) => event))
}

/** The largest figure of any class of units. */
export function worstOfClasses(state: LedgerState, figure: (events: readonly PrivacyEvent[]) => number): number {
  return Math.max(...spentByClass(state).map(figure))
}

/**
 * An adopted ledger placed units by a salt of its own. Where it set some aside, their places here say nothing about
 * theirs there, also in one data set, so everything counts for everybody.
 */
function classesOf(state: LedgerState, spending: readonly Spending[]): readonly (readonly Spending[])[] {
  const adoptedRuns = [...state.adopted.values()].flatMap((ledger) => [...ledger.state.runs.values()])
  return adoptedRuns.some(({ evaluation }) => evaluation !== undefined) ? [spending] : eventsByClass(spending)
}

function isAbout({ share, side }: Spending, place: number): boolean {
  if (side === undefined) return true
  return side === 'evaluated' ? place < share : place >= share
}
