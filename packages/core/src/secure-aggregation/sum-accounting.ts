import { type AccountedEvent, pld } from '../accounting/index.ts'
import { discretisationSlack } from '../privacy/index.ts'
import { UNSAFE_GRAPH } from './degree.ts'
import { convolutionSlack, noiseOfShares, shareSigma } from './noise-shares.ts'
import { refused } from './refusals.ts'
import type { Thresholds } from './thresholds.ts'

/** What one site has let out through secure sums, against two kinds of adversaries. */
export interface SpendingInSums<Spent> {
  /** The coordinator with at most as many colluding sites as the run bears: the honest sites' noise counts. */
  readonly againstCoordinator: Spent
  /** Everybody else together: the site's own share of the noise alone. */
  readonly againstEveryone: Spent
}

/** One site's part in the sums of a run; public constants. */
export interface PartInSums {
  /** The site's own: others may have others. */
  readonly sampleRate: number
  /** The noise multiplier of its own share, and at least that of every other site in the run. */
  readonly noiseMultiplier: number
  /** Steps, each of them a sum of its own; failed attempts at one count as well where the update had left the site. */
  readonly steps: number
}

/**
 * The two facts for the ledger. One record moves the sum by what it moves its own site's vector, since all sites have
 * one clip norm and one grid; so the sum is the Gaussian mechanism of central DP-SGD for the records of every site,
 * with that site's sample rate and the noise that no adversary knows.
 */
export function eventsOfSums(
  { sampleRate, noiseMultiplier, steps }: PartInSums,
  { honestInTheSum }: Pick<Thresholds, 'honestInTheSum'>,
): SpendingInSums<AccountedEvent> {
  const together = noiseOfShares({ share: noiseMultiplier, shares: honestInTheSum })
  return {
    againstCoordinator: { sampleRate, noiseMultiplier: together, steps },
    againstEveryone: { sampleRate, noiseMultiplier, steps },
  }
}

/** What a run's guarantee rests on beside the noise. */
export interface SumGuarantee {
  readonly delta: number
  readonly dimension: number
  readonly thresholds: Pick<Thresholds, 'honestInTheSum' | 'isComplete'>
  /** The chance that one sum leaves the ring (`wrapAroundProbability`). */
  readonly wrapAround: number
  /** The most attempts at one sum: on a drawn graph each is a chance for the coordinator. */
  readonly mostAttempts: number
}

/**
 * Upper bounds on epsilon at the guarantee's delta, by PLD, of a site's part that was fixed beforehand. From delta are
 * taken first the chance of a drawn graph that does not protect, in any attempt, and that of a sum that wraps around.
 * (The latter costs no privacy, since a sum modulo 2^w is computed from the noised one; counting it keeps the figure
 * true for the integers themselves.) The guarantee is computational: it holds against whoever cannot break X25519,
 * AES-256, SHA-256 or Ed25519.
 *
 * @throws FedsvdError SUM_REFUSED where nothing of delta is left
 */
export function epsilonsOfSums(part: PartInSums, guarantee: SumGuarantee): SpendingInSums<number> {
  const { delta, dimension, thresholds, wrapAround, mostAttempts } = guarantee
  const { steps } = part
  const sigma = shareSigma({ noiseMultiplier: part.noiseMultiplier, dimension })
  const bound = (event: AccountedEvent, shares: number, failing: number): number => {
    const sigmas = Array.from({ length: shares }, () => sigma)
    const slack = discretisationSlack({ dimension, steps }) + convolutionSlack({ sigmas, dimension, steps })
    const left = (delta - failing * steps) / Math.exp(slack)
    if (left > 0) return pld.epsilonUpperBound([event], left) + 2 * slack
    throw refused(
      `a delta above ${failing * steps}, what can fail beside the noise`,
      String(delta),
      'Take a wider ring, or fewer steps.',
    )
  }
  const events = eventsOfSums(part, thresholds)
  const graph = thresholds.isComplete ? 0 : 2 * UNSAFE_GRAPH * mostAttempts
  return {
    againstCoordinator: bound(events.againstCoordinator, thresholds.honestInTheSum, graph + wrapAround),
    againstEveryone: bound(events.againstEveryone, 1, wrapAround),
  }
}
