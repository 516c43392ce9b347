import type { Advertisement, SharesMessage } from './messages.ts'
import type { Primitives } from './primitives.ts'
import { outOfOrder } from './refusals.ts'
import { type Roster, rosterOf } from './roster.ts'
import type { SumTerms } from './terms.ts'

/** What a coordinator knows of an attempt, as plain JSON; the masked updates themselves are kept beside it. */
export interface CoordinatorState {
  readonly terms: SumTerms
  /** As they came; in the order of the roster once that is closed. */
  readonly advertisements: readonly Advertisement[]
  /** The id of the closed roster. */
  readonly roster?: string
  readonly shares: readonly (SharesMessage & { readonly by: number })[]
  readonly sharers?: readonly number[]
  readonly session?: string
  /** Places whose masked update is stored, ascending. */
  readonly masked: readonly number[]
  readonly survivors?: readonly number[]
  readonly confirmations: readonly { readonly by: number; readonly signature: string }[]
  readonly reveals: readonly RevealedShares[]
}

/** What one site gave of its neighbours, each share checked against the digest that its owner sent. */
export interface RevealedShares {
  readonly by: number
  readonly shares: readonly { readonly of: number; readonly share: string }[]
  /** Owners of whom it gave a share that is not the one that it was sealed, or not the one that was asked for. */
  readonly wrong: readonly number[]
}

/** The roster of a state, which has to be closed. */
export function closedRoster(state: CoordinatorState, primitives: Pick<Primitives, 'sha256'>): Roster {
  if (state.roster === undefined) throw outOfOrder('a closed roster', 'one that still takes sites')
  return rosterOf(state.terms, state.advertisements, primitives)
}
