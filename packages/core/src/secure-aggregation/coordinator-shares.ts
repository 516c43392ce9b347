import { parseMessage } from '../protocol/index.ts'
import { type CoordinatorState, closedRoster } from './coordinator-state.ts'
import type { KnownSites } from './known-sites.ts'
import { sessionIdOf } from './masks.ts'
import { advertisementSchema, type Delivery, type RosterMessage, sharesSchema } from './messages.ts'
import { KEY_BYTES, type Primitives } from './primitives.ts'
import { aborted, outOfOrder, refused } from './refusals.ts'
import { advertisementFault, rosterOf } from './roster.ts'
import { attemptIdOf, type SumTerms, sumTermsSchema } from './terms.ts'
import { bytesOf } from './transcript.ts'

/*
 * The coordinator of one attempt at a sum. It takes what sites send (`take...`), closes one phase after the other
 * (`close...`), and says what to send; uploads and what follows are in `coordinator-opening.ts`. Every function takes a
 * state and returns the next one; the same message again changes nothing, another one for the same thing is refused.
 * Nothing here protects a site: sites do that themselves.
 */

const ANY_KEY = new Uint8Array(KEY_BYTES).fill(1)

/** Begins an attempt; sites are invited to it with these terms. */
export function beginCollection(terms: SumTerms): CoordinatorState {
  const parsed = parseMessage(sumTermsSchema, terms, 'terms of a sum')
  return { terms: parsed, advertisements: [], shares: [], masked: [], confirmations: [], reveals: [] }
}

/** @throws FedsvdError MESSAGE_INVALID or SUM_REFUSED */
export function takeAdvertisement(
  state: CoordinatorState,
  message: unknown,
  { knownSites, primitives }: { knownSites: KnownSites; primitives: Primitives },
): CoordinatorState {
  const advertisement = parseMessage(advertisementSchema, message, 'an advertisement of keys')
  const before = state.advertisements.find(({ site }) => site === advertisement.site)
  if (isSame(before, advertisement)) return state
  const attempt = attemptIdOf(state.terms, primitives)
  const fault = advertisementFault(advertisement, { attempt, knownSites, primitives })
  if (fault !== undefined) throw refused('an advertisement of a known site for this attempt', fault, 'Leave it out.')
  // A key of small order is refused by whoever computes with it, which would be the other sites, and later.
  for (const key of [advertisement.maskKey, advertisement.channelKey]) primitives.x25519(ANY_KEY, bytesOf(key))
  const taken = new Set(state.advertisements.flatMap(({ maskKey, channelKey }) => [maskKey, channelKey]))
  const { maskKey, channelKey } = advertisement
  if (before !== undefined || state.roster !== undefined || taken.has(maskKey) || taken.has(channelKey)) {
    throw outOfOrder(
      'one advertisement of each site, with keys of its own, before the roster is closed',
      `one of ${advertisement.site} ${state.roster === undefined ? 'with keys that are there already' : 'too late'}`,
    )
  }
  return { ...state, advertisements: [...state.advertisements, advertisement] }
}

/** The roster of those who have advertised. @throws FedsvdError SUM_REFUSED where they are too few for the terms */
export function closeRoster(
  state: CoordinatorState,
  primitives: Primitives,
): { readonly state: CoordinatorState; readonly message: RosterMessage } {
  const advertisements =
    state.roster === undefined
      ? [...state.advertisements].sort((a, b) => (a.site < b.site ? -1 : 1))
      : state.advertisements
  const roster = rosterOf(state.terms, advertisements, primitives)
  const { honestInTheSum } = roster.thresholds
  if (honestInTheSum < state.terms.leastHonest) {
    throw refused(
      `enough sites for ${state.terms.leastHonest} honest ones in the sum`,
      `${honestInTheSum} of ${advertisements.length}`,
      'Wait for more sites.',
    )
  }
  return {
    state: { ...state, advertisements, roster: roster.id },
    message: { advertisements: [...advertisements] },
  }
}

/** @throws FedsvdError MESSAGE_INVALID or SUM_REFUSED */
export function takeShares(
  state: CoordinatorState,
  by: number,
  message: unknown,
  primitives: Primitives,
): CoordinatorState {
  const roster = closedRoster(state, primitives)
  const shares = parseMessage(sharesSchema, message, 'sealed shares')
  const before = state.shares.find((other) => other.by === by)
  if (isSame(before, { ...shares, by })) return state
  if (before !== undefined || state.sharers !== undefined)
    throw outOfOrder('the shares of a site once, before sharing ends', `others of site ${by}`)
  const { neighbours } = roster.thresholds
  const isWhole =
    shares.roster === roster.id &&
    by >= 0 &&
    by < roster.advertisements.length &&
    shares.boxes.length === neighbours &&
    shares.boxes.every(({ to }) => to !== by && to < roster.advertisements.length)
  if (!isWhole)
    throw refused(
      `boxes for ${neighbours} others of the roster ${roster.id}`,
      `${shares.boxes.length} boxes of site ${by} for ${shares.roster}`,
      'Leave the site out.',
    )
  return { ...state, shares: [...state.shares, { ...shares, by }].sort((a, b) => a.by - b.by) }
}

/**
 * Ends the sharing, and says what each sharer is to get.
 *
 * @throws FedsvdError SUM_ABORTED where too few have shared: on the complete graph all have to, since masks are made
 *   with all
 */
export function closeSharing(
  state: CoordinatorState,
  primitives: Primitives,
): { readonly state: CoordinatorState; readonly messages: ReadonlyMap<number, Delivery> } {
  const roster = closedRoster(state, primitives)
  const sharers = state.sharers ?? state.shares.map(({ by }) => by)
  const { isComplete, leastSites } = roster.thresholds
  const least = isComplete ? roster.advertisements.length : leastSites
  if (sharers.length < least) {
    throw aborted(
      `shares of ${least} sites`,
      `those of ${sharers.length}`,
      'Begin another attempt without those who are missing; no update was sent yet.',
    )
  }
  const messages = new Map(
    sharers.map((to): [number, Delivery] => [to, { roster: roster.id, sharers: [...sharers], boxes: [] }]),
  )
  for (const { by, boxes } of state.shares) {
    for (const { to, box } of boxes) messages.get(to)?.boxes.push({ from: by, box })
  }
  return { state: { ...state, sharers, session: sessionIdOf(roster.id, sharers, primitives) }, messages }
}

function isSame(one: unknown, other: unknown): boolean {
  return one !== undefined && JSON.stringify(one) === JSON.stringify(other)
}
