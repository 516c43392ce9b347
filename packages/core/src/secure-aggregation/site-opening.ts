import { parseMessage } from '../protocol/index.ts'
import { addOwnMask, addPairMask } from './masks.ts'
import { openingSchema } from './messages.ts'
import { outOfOrder, refused } from './refusals.ts'
import { type RingVector, ringBytes, ringVectorOf } from './ring.ts'
import { dealtOf, type SiteAnswer, type SiteContext, type SiteState, type SiteStep, secretsOf } from './site-state.ts'
import { placesText, signersOf, survivorsFault, survivorsSigned } from './survivors.ts'
import { bytesOf, textOf } from './transcript.ts'

/* The second half of a site's part in a sum; the first, and the rules for both, are in `site-shares.ts`. */

/**
 * Hides an update: its integers, already noised, plus the masks. The update has to be one that has never left this
 * site, masked or not; and once this state is stored it is spent, whatever becomes of the sum.
 *
 * @param values `dimension` integers of magnitude below 2^53
 * @throws FedsvdError SUM_REFUSED before shares were received, or for another update than was hidden before
 */
export function maskUpdate(state: SiteState, values: Float64Array, { primitives }: SiteContext): SiteStep<RingVector> {
  const secrets = secretsOf(state)
  const { received } = state
  const { dealt } = dealtOf(state, primitives)
  if (received === undefined)
    throw outOfOrder('the shares of the others before an update is masked', 'a site that has not received any')
  const { dimension, modulusBits } = state.terms
  if (values.length !== dimension || !areIntegers(values)) {
    throw refused(`${dimension} integers below 2^53`, `${values.length} numbers`, 'Mask what the mechanism released.')
  }
  const vector = ringVectorOf(values, modulusBits)
  const { session } = received
  const own = { seed: bytesOf(secrets.seed), session, site: dealt.place, sign: 1 } as const
  addOwnMask(vector, own, primitives)
  const privateKey = bytesOf(secrets.maskPrivateKey)
  for (const other of received.partners) {
    const publicKey = dealt.advertisements[other]!.maskKey
    addPairMask(vector, { privateKey, publicKey, session, site: dealt.place, other, sign: 1 }, primitives)
  }
  const maskedSha256 = textOf(primitives.sha256(ringBytes(vector)))
  if (state.maskedSha256 !== undefined && state.maskedSha256 !== maskedSha256) {
    throw outOfOrder(
      `the update that these masks hide, as the difference of two would be in the clear: ${state.maskedSha256}`,
      `one that is ${maskedSha256} when it is masked`,
    )
  }
  return { state: { ...state, maskedSha256 }, message: vector }
}

/**
 * Answers the list of survivors: of each neighbour one share, that of its seed if it is on the list and that of its
 * mask key if not. On a drawn graph the list is signed first, and shares are given only for one that enough have
 * signed. A site answers to one list, for ever.
 *
 * @throws FedsvdError MESSAGE_INVALID, or SUM_REFUSED for a list without this site, with somebody who did not share,
 *   with too few, other than the one before, or not confirmed by enough
 */
export function answerOpening(state: SiteState, message: unknown, context: SiteContext): SiteStep<SiteAnswer> {
  const { primitives, signer } = context
  secretsOf(state)
  const { dealt, roster } = dealtOf(state, primitives)
  const { received } = state
  if (received === undefined || state.maskedSha256 === undefined) {
    throw outOfOrder('an update of this site before the sum is opened', 'a site that has not masked any')
  }
  const opening = parseMessage(openingSchema, message, 'a list of survivors')
  const { survivors, confirmations } = opening
  const fault =
    opening.roster === roster.id
      ? survivorsFault(survivors, { place: dealt.place, sharers: received.sharers, roster })
      : `a list for the roster ${opening.roster}`
  if (fault !== undefined) throw refused('a list of survivors that this site may answer to', fault, NOTHING_GIVEN)
  if (state.survivors !== undefined && state.survivors.join() !== survivors.join()) {
    throw refused(
      `the list of survivors that was answered to before, ${placesText(state.survivors)}`,
      placesText(survivors),
      NOTHING_GIVEN,
    )
  }
  const next: SiteState = { ...state, survivors }
  if (!roster.thresholds.isComplete) {
    const text = survivorsSigned(received.session, survivors)
    if (confirmations === undefined) {
      const signature = textOf(signer.sign(text))
      return { state: next, message: { kind: 'confirmation', roster: roster.id, signature } }
    }
    const { leastSites } = roster.thresholds
    const signers = signersOf({ confirmations, survivors, text, roster }, primitives)
    if (signers < leastSites) {
      throw refused(`this list confirmed by ${leastSites} sites that are on it`, `${signers} of them`, NOTHING_GIVEN)
    }
  }
  const isSurvivor = new Set(survivors)
  const shares = received.held.map(({ of, maskKeyShare, seedShare }) => ({
    of,
    share: isSurvivor.has(of) ? seedShare : maskKeyShare,
  }))
  const own = { of: dealt.place, share: dealt.ownSeedShare }
  const all = [...shares, own].sort((a, b) => a.of - b.of)
  return { state: next, message: { kind: 'reveal', roster: roster.id, shares: all } }
}

/** A plain loop: calling a function for each of a million values takes longer than hiding them. */
function areIntegers(values: Float64Array): boolean {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (!(Math.abs(value) <= Number.MAX_SAFE_INTEGER && Math.floor(value) === value)) return false
  }
  return true
}

const NOTHING_GIVEN = 'No share was given; look at what the coordinator does.'

/**
 * The attempt is over for this site: its secrets are forgotten, and nothing is answered any more. For an attempt that
 * was given up, and for one whose sum is published.
 */
export function leaveSum({ terms, advertisement, maskedSha256, survivors }: SiteState): SiteState {
  return { terms, advertisement, ...(maskedSha256 && { maskedSha256 }), ...(survivors && { survivors }) }
}
