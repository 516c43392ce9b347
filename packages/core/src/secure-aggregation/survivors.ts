import type { Primitives } from './primitives.ts'
import type { Roster } from './roster.ts'
import { bytesOf, transcript } from './transcript.ts'

const MOST_NAMED = 20

/** Places as errors name them. */
export function placesText(places: readonly number[]): string {
  const more = places.length - MOST_NAMED
  return `places ${places.slice(0, MOST_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** What is wrong with a list of survivors in the eyes of the site at `place`; undefined where it may be answered to. */
export function survivorsFault(
  survivors: readonly number[],
  { place, sharers, roster }: { place: number; sharers: readonly number[]; roster: Roster },
): string | undefined {
  const shared = new Set(sharers)
  const listed = placesText(survivors)
  if (!survivors.includes(place)) return `${listed} without this site, ${place}`
  const stranger = survivors.find((at) => !shared.has(at))
  if (stranger !== undefined) return `${listed}, where ${stranger} did not share its secrets`
  const { leastSites } = roster.thresholds
  return survivors.length < leastSites ? `${listed}, where at least ${leastSites} sites have to be` : undefined
}

/** What sites sign on a drawn graph before they give any share. */
export function survivorsSigned(session: string, survivors: readonly number[]): Uint8Array {
  return transcript('survivors', session, ...survivors)
}

/**
 * How many survivors have signed the list, counted up to L, the number that a sum needs. 2 L > n + c, so two lists of
 * one roster cannot both be signed by L sites, of which every honest one signs one list only.
 */
export function signersOf(
  claim: {
    readonly confirmations: readonly { readonly by: number; readonly signature: string }[]
    readonly survivors: readonly number[]
    readonly text: Uint8Array
    readonly roster: Roster
  },
  { verify }: Pick<Primitives, 'verify'>,
): number {
  const { confirmations, survivors, text, roster } = claim
  const { leastSites } = roster.thresholds
  const isSurvivor = new Set(survivors)
  let genuine = 0
  for (const { by, signature } of confirmations) {
    if (genuine === leastSites) break
    if (isSurvivor.has(by) && verify(roster.advertisements[by]!.site, text, bytesOf(signature))) genuine += 1
  }
  return genuine
}
