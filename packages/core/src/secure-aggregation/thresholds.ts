import { COMPLETE_UP_TO, degreeFor } from './degree.ts'
import { refused } from './refusals.ts'

/** The fewest and the most sites of one sum. */
export const SITES = { least: 3, most: 1000 } as const

/** Against whom and through what a sum is protected; constants of the run. */
export interface Tolerance {
  /** c: sites that may act with the coordinator, or be made up by it, without harm to the others. */
  readonly mostColluders: number
  /** d: sites that may be lost between their shares and the opening of the sum. */
  readonly mostLost: number
}

/** What follows from a number of sites and a tolerance. */
export interface Thresholds {
  /** L = n - d: the fewest sites that a sum may be of, and that have to answer before it is opened. */
  readonly leastSites: number
  /** m: honest sites, and so shares of noise that no adversary knows, in any sum that the coordinator can open. */
  readonly honestInTheSum: number
  /** Neighbours that each site shares its secrets with. */
  readonly neighbours: number
  /** Shares that give a secret back. */
  readonly shareThreshold: number
  /** Everybody is everybody's neighbour. Otherwise survivors are agreed on by signatures before anything is opened. */
  readonly isComplete: boolean
}

/**
 * Thresholds of a sum over n sites. The coordinator may tell different sites different things; why these numbers hold
 * then is derived in docs/reference/secure-aggregation.md.
 *
 * - A peer's mask key and its own seed are never both given back: 2 L > n + c. So at most d < (n - c) / 2 sites may be
 *   lost: at three sites one where nobody colludes, none where one does.
 * - On the complete graph m = h - floor(h d / (h - d)) with h = n - c, since each honest site refuses a list of
 *   survivors that leaves out more than d. On a drawn graph everybody signs one list, and m = h - d.
 *
 * @throws FedsvdError SUM_REFUSED, with the largest tolerance that there is, where no threshold does
 * @example sumThresholds({ sites: 3, mostColluders: 1, mostLost: 0 }).honestInTheSum // 2
 */
export function sumThresholds({ sites, mostColluders, mostLost }: Tolerance & { readonly sites: number }): Thresholds {
  if (!Number.isInteger(sites) || sites < SITES.least || sites > SITES.most) {
    throw refused(`${SITES.least} to ${SITES.most} sites in a sum`, String(sites), 'Ask more sites, or fewer.')
  }
  if (![mostColluders, mostLost].every((count) => Number.isInteger(count) && count >= 0)) {
    throw refused(
      'mostColluders and mostLost as whole numbers from 0 on',
      `${mostColluders} and ${mostLost}`,
      'Correct the tolerance of the run.',
    )
  }
  const [honest, leastSites] = [sites - mostColluders, sites - mostLost]
  if (honest < 2 || 2 * leastSites <= sites + mostColluders) {
    throw refused(
      `sites > mostColluders + 2 mostLost, and two that are honest`,
      `${sites} sites, ${mostColluders} colluding, ${mostLost} lost`,
      'Bear fewer lost sites or fewer colluders, or ask more sites.',
    )
  }
  const isComplete = sites <= COMPLETE_UP_TO
  const degree = isComplete
    ? { neighbours: sites - 1, shareThreshold: leastSites }
    : degreeFor({ sites, mostColluders, mostLost })
  if (degree === undefined) {
    throw refused(
      'a tolerance that some graph with at most 254 neighbours bears',
      `${sites} sites, ${mostColluders} colluding, ${mostLost} lost`,
      'Bear fewer lost sites or fewer colluders.',
    )
  }
  const outside = isComplete ? Math.floor((honest * mostLost) / (honest - mostLost)) : mostLost
  return { leastSites, honestInTheSum: honest - outside, ...degree, isComplete }
}
