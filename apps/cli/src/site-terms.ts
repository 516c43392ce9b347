import { FedsvdError } from '@fedsvd/core/errors'

/** What a planned run asks of a site. */
export interface SiteTerms {
  readonly records: number
  readonly delta: number
  readonly lot?: number
}

/**
 * Refuses what a client would refuse when it joins, so that no one plans with it.
 *
 * @throws FedsvdError DELTA_TOO_LARGE, CONFIG_INVALID for a lot larger than the data
 */
export function requireJoinable({ records, delta, lot }: SiteTerms): void {
  if (delta > 1 / records) {
    throw new FedsvdError('DELTA_TOO_LARGE', {
      expected: `delta of at most 1 / records, which is ${(1 / records).toExponential(2)}`,
      got: `delta ${delta}`,
      remedy: 'Lower delta: a client does not join with a larger one.',
    })
  }
  if (lot !== undefined && lot > records) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `a lot of at most the ${records} records of the smallest client`,
      got: `--lot ${lot}`,
      remedy: 'Lower --lot: a client with fewer records than a lot does not join.',
    })
  }
}

/** The most records that a client may declare with this delta. */
export function mostRecords(delta: number): number {
  const nearest = Math.round(1 / delta)
  return delta <= 1 / nearest ? nearest : nearest - 1
}
