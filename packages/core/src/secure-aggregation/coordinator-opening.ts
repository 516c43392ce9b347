import { parseMessage } from '../protocol/index.ts'
import { type CoordinatorState, closedRoster } from './coordinator-state.ts'
import { confirmationSchema, type Opening, revealSchema } from './messages.ts'
import type { Primitives } from './primitives.ts'
import { aborted, outOfOrder, refused } from './refusals.ts'
import { type SecretKind, shareDigest } from './sealed-shares.ts'
import { signersOf, survivorsSigned } from './survivors.ts'
import { bytesOf } from './transcript.ts'

/* The second half of the coordinator's part in a sum; the first is in `coordinator-shares.ts`. */

/** Notes that the masked update of a site is stored. @throws FedsvdError SUM_REFUSED, as for one that comes too late */
export function takeMasked(state: CoordinatorState, by: number): CoordinatorState {
  if (state.masked.includes(by)) return state
  if (state.sharers?.includes(by) !== true || state.survivors !== undefined) {
    throw outOfOrder('an update of a site that has shared, before uploads are closed', `one of site ${by}`)
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
  if (!isGenuine)
    throw refused('a survivor that signs the list of survivors', `what site ${by} signed`, 'Leave it out.')
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
    throw refused(
      `shares of a survivor within the roster ${roster.id}`,
      `those of site ${by} for ${reveal.roster}`,
      'Leave the site out.',
    )
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
  const claim = { confirmations: state.confirmations, survivors, text, roster }
  return signersOf(claim, primitives) >= roster.thresholds.leastSites
}

function survivorsOf({ survivors }: CoordinatorState): readonly number[] {
  if (survivors === undefined) throw outOfOrder('uploads that are closed', 'uploads that go on')
  return survivors
}
