import type { KnownSites } from './known-sites.ts'
import type { Advertisement, Certificate, Confirmation, Reveal, SharesMessage } from './messages.ts'
import type { Primitives, Signer } from './primitives.ts'
import { outOfOrder } from './refusals.ts'
import { type Roster, rosterOf, type SiteSecrets } from './roster.ts'
import type { HeldShares } from './sealed-shares.ts'
import type { SumTerms } from './terms.ts'

/**
 * All that a site must not lose of an attempt, as plain JSON. It holds private keys: whoever reads it and the messages
 * of the other sites reads this site's update.
 */
export interface SiteState {
  readonly terms: SumTerms
  readonly advertisement: Advertisement
  /** Absent when the attempt is over for this site. */
  readonly secrets?: SiteSecrets
  readonly dealt?: DealtShares
  readonly received?: ReceivedShares
  /** SHA-256 of the masked update, base64url: the only one that the masks of this attempt ever hide. */
  readonly maskedSha256?: string
  /** The one list of survivors that this site has answered to, or may have. */
  readonly survivors?: readonly number[]
}

export interface DealtShares {
  /** Everybody in the roster, in its order. */
  readonly advertisements: readonly Advertisement[]
  /** Where this site stands in it. */
  readonly place: number
  /** What was sent, to be sent again as it was. */
  readonly message: SharesMessage
  /** The share of its own seed that the site keeps. */
  readonly ownSeedShare: string
}

export interface ReceivedShares {
  readonly sharers: readonly number[]
  /** Those that this site has a mask with, in ascending order. */
  readonly partners: readonly number[]
  /** Stands for roster and sharers. */
  readonly session: string
  readonly held: readonly (HeldShares & { readonly of: number })[]
}

/** What a site goes by. */
export interface SiteContext {
  readonly primitives: Primitives
  readonly signer: Signer
  readonly knownSites: KnownSites
  /** The fewest honest sites that this one will count on, itself included; that of the terms counts as well. */
  readonly leastHonest: number
  /** Where sites are known by a consortium's word. */
  readonly certificate?: Certificate
}

/** The next state, which has to be on stable storage before `message` is sent. */
export interface SiteStep<Message> {
  readonly state: SiteState
  readonly message: Message
}

export type SiteAnswer = Confirmation | Reveal

/** The secrets of an attempt that is not over. @throws FedsvdError SUM_REFUSED where it is */
export function secretsOf({ secrets }: SiteState): SiteSecrets {
  if (secrets === undefined) throw outOfOrder('an attempt that this site is in', 'one that is over')
  return secrets
}

/** What was dealt, and the roster that it was dealt for. @throws FedsvdError SUM_REFUSED before that */
export function dealtOf(state: SiteState, primitives: Primitives): { dealt: DealtShares; roster: Roster } {
  const { dealt } = state
  if (dealt === undefined) throw outOfOrder('a roster before anything else', 'a site that has not seen one')
  return { dealt, roster: rosterOf(state.terms, dealt.advertisements, primitives) }
}
