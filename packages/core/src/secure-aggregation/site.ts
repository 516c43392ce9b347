import { parseMessage } from '../protocol/index.ts'
import { chosen } from '../random/index.ts'
import { addOwnMask, addPairMask, sessionIdOf } from './masks.ts'
import { type Advertisement, deliverySchema, openingSchema, rosterSchema, type SharesMessage } from './messages.ts'
import type { Primitives } from './primitives.ts'
import { outOfOrder, refused } from './refusals.ts'
import { type RingVector, ringBytes, ringVectorOf } from './ring.ts'
import { checkedRoster, newAdvertisement, type Roster, rosterOf, type SiteSecrets } from './roster.ts'
import { openShares, sealShares, shareDigest } from './sealed-shares.ts'
import type { DealtShares, ReceivedShares, SiteAnswer, SiteContext, SiteState, SiteStep } from './site-state.ts'
import { isAgreed, survivorsFault, survivorsSigned } from './survivors.ts'
import { type SumTerms, sumTermsSchema } from './terms.ts'
import { bytesOf, textOf } from './transcript.ts'

/*
 * A site in one attempt at a sum: beginSum, shareSecrets, receiveShares, maskUpdate, answerOpening. Each takes a state
 * and returns the next one. The next state has to be on stable storage before what comes with it is sent, and a state
 * that was left behind is never gone on from (`DurableSite` holds to both). Asked the same again, a site says the same
 * again; asked anything else that belongs to a step behind it, it refuses and its state stays as it was.
 */

/** Enters an attempt with keys of its own. The message is part of the answer to the invitation. */
export function beginSum(terms: SumTerms, context: SiteContext): SiteStep<Advertisement> {
  const parsed = parseMessage(sumTermsSchema, terms, 'terms of a sum')
  const { secrets, advertisement } = newAdvertisement(parsed, context)
  return { state: { terms: parsed, advertisement, secrets }, message: advertisement }
}

/**
 * Answers the roster: shares of the mask key and of the seed, sealed for each neighbour. On a drawn graph the
 * neighbours are drawn now, when nobody can choose any more who is in the roster.
 *
 * @throws FedsvdError MESSAGE_INVALID, or SUM_REFUSED for a roster that `checkedRoster` refuses, that this site is not
 *   in as it advertised itself, or that is another one than it has shared for
 */
export async function shareSecrets(
  state: SiteState,
  message: unknown,
  context: SiteContext,
): Promise<SiteStep<SharesMessage>> {
  const secrets = secretsOf(state)
  const roster = checkedRoster(state.terms, parseMessage(rosterSchema, message, 'a roster'), context)
  if (state.dealt !== undefined) {
    if (state.dealt.message.roster === roster.id) return { state, message: state.dealt.message }
    throw outOfOrder('the roster that shares were made for', 'another one')
  }
  const { advertisements } = roster
  const place = advertisements.findIndex(({ site }) => site === state.advertisement.site)
  if (place < 0 || advertisements[place]!.signature !== state.advertisement.signature) {
    throw refused('a roster with the keys that this site advertised', 'one without', 'Invite this site again.')
  }
  const dealt = await dealShares(roster, place, secrets, context.primitives)
  return { state: { ...state, dealt }, message: dealt.message }
}

async function dealShares(
  roster: Roster,
  place: number,
  secrets: SiteSecrets,
  primitives: Primitives,
): Promise<DealtShares> {
  const { neighbours, shareThreshold } = roster.thresholds
  const others = roster.advertisements.flatMap((_, other) => (other === place ? [] : [other]))
  const holders = chosen(primitives.random, others, neighbours).sort((a, b) => a - b)
  // One share more than there are neighbours: the site's own. That of the mask key is made and kept by nobody.
  const split = async (secret: string): Promise<readonly string[]> =>
    (await primitives.split(bytesOf(secret), neighbours + 1, shareThreshold)).map(textOf)
  const [maskKeyShares, seedShares] = [await split(secrets.maskPrivateKey), await split(secrets.seed)]
  const digest = (share: string, by: number, kind: 'mask key' | 'seed'): string =>
    shareDigest(share, { roster: roster.id, of: place, by, kind }, primitives)
  const boxes = holders.map((to, i) => {
    const [maskKeyShare, seedShare] = [maskKeyShares[i]!, seedShares[i]!]
    const channel = { privateKey: secrets.channelPrivateKey, publicKey: roster.advertisements[to]!.channelKey }
    return {
      to,
      box: sealShares({ maskKeyShare, seedShare }, channel, { roster: roster.id, from: place, to }, primitives),
      maskKeyDigest: digest(maskKeyShare, to, 'mask key'),
      seedDigest: digest(seedShare, to, 'seed'),
    }
  })
  const ownSeedShare = seedShares[neighbours]!
  const message = { roster: roster.id, boxes, ownDigest: digest(ownSeedShare, place, 'seed') }
  return { advertisements: roster.advertisements, place, message, ownSeedShare }
}

/**
 * Takes the shares of others. On the complete graph everybody must have shared, with this site and within this very
 * roster: so a site that goes on knows that all honest ones are in the same roster as it is.
 *
 * @throws FedsvdError MESSAGE_INVALID, or SUM_REFUSED where somebody is missing, a box was not sealed by its owner for
 *   this site and roster, or others have been received before
 */
export function receiveShares(state: SiteState, message: unknown, { primitives }: SiteContext): SiteState {
  const secrets = secretsOf(state)
  const { dealt, roster } = dealtOf(state, primitives)
  const delivery = parseMessage(deliverySchema, message, 'a delivery of shares')
  const { sharers, boxes } = delivery
  const { isComplete, leastSites } = roster.thresholds
  const isWhole =
    delivery.roster === roster.id &&
    sharers.every((at) => at < roster.advertisements.length) &&
    sharers.includes(dealt.place) &&
    sharers.length >= (isComplete ? roster.advertisements.length : leastSites) &&
    boxes.every(({ from }) => from !== dealt.place && sharers.includes(from)) &&
    (!isComplete || boxes.length === sharers.length - 1)
  if (!isWhole) {
    throw refused(
      `shares of ${isComplete ? 'everybody' : `at least ${leastSites} sites`} in the roster`,
      `${boxes.length} boxes of ${sharers.length} sites`,
      'Begin another attempt with those who are there; nothing of an update was sent.',
    )
  }
  const session = sessionIdOf(roster.id, sharers, primitives)
  const held = boxes.map(({ from, box }) => {
    const channel = { privateKey: secrets.channelPrivateKey, publicKey: roster.advertisements[from]!.channelKey }
    const shares = openShares(box, channel, { roster: roster.id, from, to: dealt.place }, primitives)
    if (shares !== undefined) return { of: from, ...shares }
    throw refused(
      'shares that their owner sealed for this site and this roster',
      `a box of site ${from} (${roster.advertisements[from]!.site}) that does not open`,
      'Begin another attempt without that site; nothing of an update was sent.',
    )
  })
  const drawn = dealt.message.boxes.flatMap(({ to }) => (sharers.includes(to) ? [to] : []))
  const partners = [...new Set([...drawn, ...boxes.map(({ from }) => from)])].sort((a, b) => a - b)
  const received: ReceivedShares = { sharers, partners, session, held }
  if (state.received !== undefined) {
    if (JSON.stringify(state.received) === JSON.stringify(received)) return state
    throw outOfOrder('the shares that were received before', 'others')
  }
  return { ...state, received }
}

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
  if (received === undefined) throw outOfOrder('the shares of the others before an update is masked', 'none')
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
    throw outOfOrder('the update that these masks hide', 'another one, whose difference to it would be in the clear')
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
    throw outOfOrder('an update of this site before the sum is opened', 'none')
  }
  const opening = parseMessage(openingSchema, message, 'a list of survivors')
  const { survivors, confirmations } = opening
  const fault =
    opening.roster === roster.id
      ? survivorsFault(survivors, { place: dealt.place, sharers: received.sharers, roster })
      : 'a list for another roster'
  if (fault !== undefined) throw refused('a list of survivors that this site may answer to', fault, NOTHING_GIVEN)
  if (state.survivors !== undefined && state.survivors.join() !== survivors.join()) {
    throw refused('the list of survivors that was answered to before', 'another one', NOTHING_GIVEN)
  }
  const next: SiteState = { ...state, survivors }
  if (!roster.thresholds.isComplete) {
    const text = survivorsSigned(received.session, survivors)
    if (confirmations === undefined) {
      const signature = textOf(signer.sign(text))
      return { state: next, message: { kind: 'confirmation', roster: roster.id, signature } }
    }
    if (!isAgreed({ confirmations, survivors, text, roster }, primitives)) {
      throw refused(
        `this list confirmed by ${roster.thresholds.leastSites} sites that are on it`,
        'fewer',
        NOTHING_GIVEN,
      )
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

function secretsOf({ secrets }: SiteState): SiteSecrets {
  if (secrets === undefined) throw outOfOrder('an attempt that this site is in', 'one that is over')
  return secrets
}

function dealtOf(state: SiteState, primitives: Primitives): { dealt: DealtShares; roster: Roster } {
  const { dealt } = state
  if (dealt === undefined) throw outOfOrder('a roster before anything else', 'none')
  return { dealt, roster: rosterOf(state.terms, dealt.advertisements, primitives) }
}
