import { parseMessage } from '../protocol/index.ts'
import type { CoordinatorState } from './coordinator-state.ts'
import type { KnownSites } from './known-sites.ts'
import { sessionIdOf } from './masks.ts'
import {
  advertisementSchema,
  confirmationSchema,
  type Delivery,
  type Opening,
  type RosterMessage,
  revealSchema,
  sharesSchema,
} from './messages.ts'
import { KEY_BYTES, type Primitives } from './primitives.ts'
import { aborted, outOfOrder, refused } from './refusals.ts'
import { advertisementFault, type Roster, rosterOf } from './roster.ts'
import { type SecretKind, shareDigest } from './sealed-shares.ts'
import { isAgreed, survivorsSigned } from './survivors.ts'
import { attemptIdOf, type SumTerms, sumTermsSchema } from './terms.ts'
import { bytesOf } from './transcript.ts'

/*
 * The coordinator of one attempt at a sum. It takes what sites send (`take...`), closes one phase after the other
 * (`close...`), and says what to send. Every function takes a state and returns the next one; the same message again
 * changes nothing, another one for the same thing is refused. Nothing here protects a site: sites do that themselves.
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
    throw outOfOrder('one advertisement of each site, with keys of its own, before the roster is closed', 'another one')
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
  if (before !== undefined || state.sharers !== undefined) throw outOfOrder('the shares of a site once', 'others')
  const { neighbours } = roster.thresholds
  const isWhole =
    shares.roster === roster.id &&
    by >= 0 &&
    by < roster.advertisements.length &&
    shares.boxes.length === neighbours &&
    shares.boxes.every(({ to }) => to !== by && to < roster.advertisements.length)
  if (!isWhole) throw refused(`boxes for ${neighbours} others of this roster`, 'another message', 'Leave the site out.')
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

/** Notes that the masked update of a site is stored. @throws FedsvdError SUM_REFUSED, as for one that comes too late */
export function takeMasked(state: CoordinatorState, by: number): CoordinatorState {
  if (state.masked.includes(by)) return state
  if (state.sharers?.includes(by) !== true || state.survivors !== undefined) {
    throw outOfOrder('an update of a site that has shared, before uploads are closed', 'another one')
  }
  return { ...state, masked: [...state.masked, by].sort((a, b) => a - b) }
}

/** Ends the uploads: whoever has delivered is a survivor. @throws FedsvdError SUM_ABORTED where too few have */
export function closeUploads(state: CoordinatorState, primitives: Primitives): CoordinatorState {
  if (state.survivors !== undefined) return state
  const { leastSites } = closedRoster(state, primitives).thresholds
  if (state.masked.length < leastSites) {
    throw aborted(
      `updates of ${leastSites} sites`,
      `those of ${state.masked.length}`,
      'Begin another round: what was sent stays hidden, and is spent.',
    )
  }
  return { ...state, survivors: state.masked }
}

/** What to ask the survivors now; on a drawn graph first for their signatures, and then, with those, for shares. */
export function openingOf(state: CoordinatorState, primitives: Primitives): Opening {
  const roster = closedRoster(state, primitives)
  const survivors = [...survivorsOf(state)]
  const opening = { roster: roster.id, survivors }
  const isConfirmed = state.confirmations.length >= roster.thresholds.leastSites
  return isConfirmed && !roster.thresholds.isComplete
    ? { ...opening, confirmations: [...state.confirmations] }
    : opening
}

/** @throws FedsvdError MESSAGE_INVALID or SUM_REFUSED */
export function takeConfirmation(
  state: CoordinatorState,
  by: number,
  message: unknown,
  primitives: Primitives,
): CoordinatorState {
  const roster = closedRoster(state, primitives)
  const confirmation = parseMessage(confirmationSchema, message, 'a confirmation of survivors')
  if (state.confirmations.some((other) => other.by === by)) return state
  const survivors = survivorsOf(state)
  const text = survivorsSigned(state.session!, survivors)
  const isGenuine =
    confirmation.roster === roster.id &&
    survivors.includes(by) &&
    primitives.verify(roster.advertisements[by]!.site, text, bytesOf(confirmation.signature))
  if (!isGenuine) throw refused('a survivor that signs the list of survivors', 'another signature', 'Leave it out.')
  const { signature } = confirmation
  return { ...state, confirmations: [...state.confirmations, { by, signature }].sort((a, b) => a.by - b.by) }
}

/**
 * Takes the shares that a survivor reveals. Each is held against the digest that its owner sent; a wrong one is left
 * out and noted.
 *
 * @throws FedsvdError MESSAGE_INVALID or SUM_REFUSED
 */
export function takeReveal(
  state: CoordinatorState,
  by: number,
  message: unknown,
  primitives: Primitives,
): CoordinatorState {
  const roster = closedRoster(state, primitives)
  const reveal = parseMessage(revealSchema, message, 'revealed shares')
  const survivors = new Set(survivorsOf(state))
  if (state.reveals.some((other) => other.by === by)) return state
  if (reveal.roster !== roster.id || !survivors.has(by)) {
    throw refused('shares of a survivor within this roster', 'others', 'Leave the site out.')
  }
  const ownerOf = new Map(state.shares.map((shares) => [shares.by, shares]))
  const isRight = ({ of, share }: { readonly of: number; readonly share: string }): boolean => {
    const kind: SecretKind = survivors.has(of) ? 'seed' : 'mask key'
    const owner = ownerOf.get(of)
    const sealed = owner?.boxes.find(({ to }) => to === by)
    const digest = of === by ? owner?.ownDigest : kind === 'seed' ? sealed?.seedDigest : sealed?.maskKeyDigest
    return digest !== undefined && digest === shareDigest(share, { roster: roster.id, of, by, kind }, primitives)
  }
  const shares = reveal.shares.filter(isRight)
  const wrong = reveal.shares.filter((share) => !isRight(share)).map(({ of }) => of)
  return { ...state, reveals: [...state.reveals, { by, shares, wrong }].sort((a, b) => a.by - b.by) }
}

/** Whether so many signatures are there that shares may be asked for; on the complete graph none are needed. */
export function isConfirmed(state: CoordinatorState, primitives: Primitives): boolean {
  const roster = closedRoster(state, primitives)
  if (roster.thresholds.isComplete) return true
  const survivors = survivorsOf(state)
  const text = survivorsSigned(state.session!, survivors)
  return isAgreed({ confirmations: state.confirmations, survivors, text, roster }, primitives)
}

/** The roster of a state, which has to be closed. */
export function closedRoster(state: CoordinatorState, primitives: Pick<Primitives, 'sha256'>): Roster {
  if (state.roster === undefined) throw outOfOrder('a closed roster', 'one that still takes sites')
  return rosterOf(state.terms, state.advertisements, primitives)
}

function survivorsOf({ survivors }: CoordinatorState): readonly number[] {
  if (survivors === undefined) throw outOfOrder('uploads that are closed', 'uploads that go on')
  return survivors
}

function isSame(one: unknown, other: unknown): boolean {
  return one !== undefined && JSON.stringify(one) === JSON.stringify(other)
}
