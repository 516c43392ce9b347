import type { Primitives } from './primitives.ts'
import type { Roster } from './roster.ts'
import { bytesOf, transcript } from './transcript.ts'

/** What is wrong with a list of survivors in the eyes of the site at `place`; undefined where it may be answered to. */
export function survivorsFault(
  survivors: readonly number[],
  { place, sharers, roster }: { place: number; sharers: readonly number[]; roster: Roster },
): string | undefined {
  const shared = new Set(sharers)
  if (!survivors.includes(place)) return 'one without this site'
  if (survivors.some((at) => !shared.has(at))) return 'one with a site that did not share its secrets'
  const { leastSites } = roster.thresholds
  return survivors.length < leastSites ? `${survivors.length} sites where at least ${leastSites} have to be` : undefined
}

/** What sites sign on a drawn graph before they give any share. */
export function survivorsSigned(session: string, survivors: readonly number[]): Uint8Array {
  return transcript('survivors', session, ...survivors)
}

/**
 * Whether as many survivors as a sum needs have signed the list. 2 L > n + c, so two lists of one roster can not both
 * be signed by L sites of which every honest one signs one list only.
 */
export function isAgreed(
  claim: {
    readonly confirmations: readonly { readonly by: number; readonly signature: string }[]
    readonly survivors: readonly number[]
    readonly text: Uint8Array
    readonly roster: Roster
  },
  { verify }: Pick<Primitives, 'verify'>,
): boolean {
  const { confirmations, survivors, text, roster } = claim
  const { leastSites } = roster.thresholds
  const isSurvivor = new Set(survivors)
  let genuine = 0
  for (const { by, signature } of confirmations) {
    if (genuine === leastSites) break
    if (isSurvivor.has(by) && verify(roster.advertisements[by]!.site, text, bytesOf(signature))) genuine += 1
  }
  return genuine >= leastSites
}
