import { eventOfRound, NOISE_RANGE, scheduleRule } from '@fedsvd/core/accounting'
import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import { isWithinNoiseRatio, untouchedNoiseQuestion } from '@fedsvd/core/privacy'
import { type PrivacyTerms, type RunManifest, resolveManifest } from '@fedsvd/core/protocol'
import type { EpsilonBounds } from './epsilon.ts'

const ROUNDING = 1e-9
const MOST_RECORDS = 2 ** 31 - 1

/**
 * Refuses terms under which a client cannot take part in a run.
 *
 * @throws FedsvdError MESSAGE_INVALID, DELTA_TOO_LARGE or BUDGET_TOO_SMALL
 */
export async function checkTerms(manifest: RunManifest, terms: PrivacyTerms, bounds: EpsilonBounds): Promise<void> {
  const { declaredRecords, sampleRate, budget } = terms
  const { target, expectedLotSize } = manifest
  const rate = expectedLotSize / declaredRecords
  if (declaredRecords > MOST_RECORDS) throw unfit(`at most ${MOST_RECORDS} declared records`, String(declaredRecords))
  if (Math.abs(sampleRate - rate) > ROUNDING * rate) {
    throw unfit(
      `sampleRate ${rate} (a lot of ${expectedLotSize} expected out of ${declaredRecords} records)`,
      String(sampleRate),
    )
  }
  if (budget.epsilon > target.epsilon * (1 + ROUNDING) || budget.delta > target.delta * (1 + ROUNDING)) {
    throw unfit(
      `a budget within epsilon ${target.epsilon}, delta ${target.delta}`,
      `epsilon ${budget.epsilon}, delta ${budget.delta}`,
    )
  }
  if (budget.delta > 1 / declaredRecords) {
    throw new FedsvdError('DELTA_TOO_LARGE', {
      expected: `delta of at most 1 / ${declaredRecords}`,
      got: String(budget.delta),
      remedy: 'Choose a smaller delta.',
    })
  }
  await checkNoise(manifest, terms, bounds)
  if (!(await bounds.fits([eventOfRound(manifest, terms)], budget, scheduleRule(terms)))) {
    throw new FedsvdError('BUDGET_TOO_SMALL', {
      expected: `a budget that buys one round of ${manifest.localSteps} steps`,
      got: `epsilon ${budget.epsilon} at noise multiplier ${terms.noiseMultiplier}`,
      remedy: 'State a larger noise multiplier or a larger budget.',
    })
  }
}

/**
 * More noise than the run lets a site use makes its updates useless, and lifts the bound on their norm with it.
 *
 * @throws FedsvdError BUDGET_TOO_SMALL
 */
async function checkNoise(manifest: RunManifest, terms: PrivacyTerms, bounds: EpsilonBounds): Promise<void> {
  const most = (await mostNoise(manifest, terms, bounds)) ?? 0
  if (isWithinNoiseRatio(terms.noiseMultiplier, most, 1)) return
  const { maxNoiseRatio } = resolveManifest(manifest)
  throw new FedsvdError('BUDGET_TOO_SMALL', {
    expected: `a noiseMultiplier of at most ${most.toPrecision(4)}, ${maxNoiseRatio} times what an untouched budget needs for the target of the run (maxNoiseRatio)`,
    got: String(terms.noiseMultiplier),
    remedy: 'A site with so little of its budget left stays out: its noise would be added to the mean of all.',
  })
}

/**
 * The most noise that a client may use: so many times what an untouched site needs to spend the target of the run in
 * all of its rounds and the spare steps, at the client's sampling rate. A function of the run's own terms, not of what
 * the client promises to spend; it is computed as the client computes it. Undefined where there was no answer in time.
 */
export async function mostNoise(
  manifest: Pick<RunManifest, 'target' | 'rounds' | 'localSteps' | 'maxNoiseRatio'>,
  { sampleRate, noiseMultiplier }: Pick<PrivacyTerms, 'sampleRate' | 'noiseMultiplier'>,
  bounds: EpsilonBounds,
): Promise<number | undefined> {
  const { maxNoiseRatio } = resolveManifest(manifest)
  const least = maxNoiseRatio * NOISE_RANGE.least
  if (noiseMultiplier <= least) return least // no calibration asks for less
  const question = { by: 'pld' as const, ...untouchedNoiseQuestion(manifest, sampleRate) }
  const untouched = await bounds.noiseFor(question).catch(withoutCalibration)
  return untouched && maxNoiseRatio * untouched
}

/** Where no noise is needed the least is enough; where none is enough, any is, and the budget buys no round. */
function withoutCalibration(error: unknown): number {
  if (isFedsvdError(error, 'CONFIG_INVALID')) return NOISE_RANGE.least
  if (isFedsvdError(error, 'BUDGET_TOO_SMALL')) return NOISE_RANGE.most
  throw error
}

/** True when both say the same, number for number. */
export function sameTerms(left: PrivacyTerms, right: PrivacyTerms): boolean {
  const facts = ({ declaredRecords, sampleRate, noiseMultiplier, budget: { epsilon, delta } }: PrivacyTerms) =>
    JSON.stringify([declaredRecords, sampleRate, noiseMultiplier, epsilon, delta])
  return facts(left) === facts(right)
}

function unfit(expected: string, got: string): FedsvdError {
  return new FedsvdError('MESSAGE_INVALID', {
    expected,
    got,
    remedy: 'Compute the terms from the manifest of the run.',
  })
}
