import { eventOfRound, scheduledSteps, scheduleRule } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import { MOST_EXTRA_NOISE, type PrivacyTerms, type RunManifest } from '@fedsvd/core/protocol'
import type { EpsilonBounds } from './epsilon.ts'

const ROUNDING = 1e-9
const MOST_RECORDS = 2 ** 31 - 1
/** Short runs on large data ask for less noise than this; a client may add what is usual all the same. */
const LEAST_CALIBRATED = 1

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

/** More noise than the budget asks for makes updates useless, and lifts the bound on their norm with it. */
async function checkNoise(manifest: RunManifest, terms: PrivacyTerms, bounds: EpsilonBounds): Promise<void> {
  const most = await mostNoise(manifest, terms, bounds)
  if (terms.noiseMultiplier <= most) return
  throw unfit(
    `a noiseMultiplier of at most ${most.toPrecision(4)}, ${MOST_EXTRA_NOISE} times what the target of the run asks for`,
    String(terms.noiseMultiplier),
  )
}

/**
 * The most noise that a client may state: so many times what spends the target of the run in all of its rounds and the
 * spare steps, at the client's sampling rate. A function of the run's own terms, not of what the client promises to
 * spend.
 */
export async function mostNoise(
  { target, rounds, localSteps }: Pick<RunManifest, 'target' | 'rounds' | 'localSteps'>,
  { sampleRate, noiseMultiplier }: Pick<PrivacyTerms, 'sampleRate' | 'noiseMultiplier'>,
  bounds: EpsilonBounds,
): Promise<number> {
  const least = MOST_EXTRA_NOISE * LEAST_CALIBRATED
  if (noiseMultiplier <= least) return least // as nearly all terms: nothing has to be calibrated
  const question = { by: 'rdp' as const, budget: target, sampleRate, steps: scheduledSteps({ rounds, localSteps }) }
  // Where no noise is needed, or no amount of it is enough, there is nothing to calibrate by.
  const calibrated = await bounds.noiseFor(question).catch(() => undefined)
  return MOST_EXTRA_NOISE * Math.max(LEAST_CALIBRATED, calibrated ?? LEAST_CALIBRATED)
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
