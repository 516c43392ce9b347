import { parseMessage } from '../protocol/index.ts'
import { chosen } from '../random/index.ts'
import { sessionIdOf } from './masks.ts'
import { type Advertisement, deliverySchema, rosterSchema, type SharesMessage } from './messages.ts'
import type { Primitives } from './primitives.ts'
import { outOfOrder, refused } from './refusals.ts'
import { checkedRoster, newAdvertisement, type Roster, type SiteSecrets } from './roster.ts'
import { openShares, sealShares, shareDigest } from './sealed-shares.ts'
import {
  type DealtShares,
  dealtOf,
  type ReceivedShares,
  type SiteContext,
  type SiteState,
  type SiteStep,
  secretsOf,
} from './site-state.ts'
import { type SumTerms, sumTermsSchema } from './terms.ts'
import { bytesOf, textOf } from './transcript.ts'

/*
 * The first half of a site's part in a sum, beside its training: beginSum, shareSecrets, receiveShares. The second is
 * in `site-opening.ts`: maskUpdate, answerOpening, leaveSum. Each takes a state and returns the next one. The next
 * state has to be on stable storage before what comes with it is sent, and a state that was left behind is never gone
 * on from (`DurableSite` holds to both). Asked the same again, a site says the same again; asked anything else that
 * belongs to a step behind it, it refuses and its state stays as it was.
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
    throw outOfOrder(`the roster that shares were made for, ${state.dealt.message.roster}`, roster.id)
  }
  const { advertisements } = roster
  const place = advertisements.findIndex(({ site }) => site === state.advertisement.site)
  if (place < 0 || advertisements[place]!.signature !== state.advertisement.signature) {
    const got = place < 0 ? `${advertisements.length} other sites` : `the mask key ${advertisements[place]!.maskKey}`
    throw refused('a roster with the keys that this site advertised', got, 'Invite this site again.')
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
    throw outOfOrder(`the shares of the session that was received before, ${state.received.session}`, session)
  }
  return { ...state, received }
}
