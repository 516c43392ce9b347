import {
  calibrateNoiseMultiplier,
  type FilterRule,
  filterOf,
  type PrivacyEvent,
  pld,
  scheduledSteps,
  scheduleRule,
} from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import { type AdapterSchema, trainedSpecs } from '@fedsvd/core/lora'
import {
  deltaWithoutMisses,
  isWithinNoiseRatio,
  mostNoiseMultiplier,
  untouchedNoiseQuestion,
} from '@fedsvd/core/privacy'
import { type Budget, type PrivacyTerms, type RunManifest, resolveManifest } from '@fedsvd/core/protocol'
import { sizeOf } from '@fedsvd/core/tensor'

/** What a site knows when it decides its terms. */
export interface SiteLimits {
  /** What the site declared, and never the true number of its records: what is decided here is sent. */
  readonly declaredRecords: number
  /** The life-time budget of the data set. */
  readonly budget: Budget
  /** What the data set has spent already. */
  readonly spent: readonly PrivacyEvent[]
  /** By which rule the data set's ledger holds events against the budget; undefined as long as nothing was spent. */
  readonly rule: FilterRule | undefined
}

/** @throws FedsvdError DELTA_TOO_LARGE for a delta with which a site takes part in no run */
export function requireDelta(delta: number, declaredRecords: number): void {
  const most = 1 / declaredRecords
  if (delta <= most) return
  throw new FedsvdError('DELTA_TOO_LARGE', {
    expected: `delta of at most 1 / declared records of this site, which is ${most.toExponential(2)}`,
    got: `delta ${delta}`,
    remedy: 'Lower --delta.',
  })
}

/**
 * The terms on which this site takes part in a run: the least noise with which all rounds of the run, and the spare
 * steps for interruptions, stay within the run's target, and together with everything spent before within the site's
 * own budget. The first by PLD, for a run is one fixed schedule; the second by the filter of the site's ledger, for
 * this run was chosen after earlier ones were seen. A site that would need more noise than the run's maxNoiseRatio
 * allows stays out: its update would say little, and what it says would cost the others more than it gives.
 *
 * @throws FedsvdError DELTA_TOO_LARGE, CONFIG_INVALID (a lot larger than the data), BUDGET_TOO_SMALL
 */
export function termsFor(manifest: RunManifest, site: SiteLimits): PrivacyTerms {
  const delta = Math.min(manifest.target.delta, site.budget.delta)
  requireDelta(site.budget.delta, site.declaredRecords)
  if (manifest.expectedLotSize > site.declaredRecords) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `at least ${manifest.expectedLotSize} declared records, one expected lot of the run`,
      got: `${site.declaredRecords}`,
      remedy: 'Take part with more data, or open the run with a smaller lot',
    })
  }
  const shape = {
    sampleRate: manifest.expectedLotSize / site.declaredRecords,
    steps: scheduledSteps(manifest),
  }
  const budget = { epsilon: Math.min(manifest.target.epsilon, site.budget.epsilon), delta }
  const forNoise = { ...budget, delta: deltaWithoutMisses(delta, manifest.rounds) } // see release-slot.ts
  const { budget: target } = untouchedNoiseQuestion(manifest, shape.sampleRate)
  const untouched = calibrateNoiseMultiplier({ ...target, ...shape, accountant: pld })
  const isOfTarget = forNoise.epsilon === target.epsilon && forNoise.delta === target.delta
  const forThisRun = isOfTarget ? untouched : calibrateNoiseMultiplier({ ...forNoise, ...shape, accountant: pld })
  const { maxNoiseRatio } = resolveManifest(manifest)
  const usual = { untouched, maxNoiseRatio }
  const noiseMultiplier = Math.max(forThisRun, noiseBesideSpent(site, manifest.rounds, shape, usual))
  requireDrawable(noiseMultiplier, manifest.adapter)
  if (!isWithinNoiseRatio(noiseMultiplier, untouched, maxNoiseRatio)) {
    throw tooMuchNoise(
      usual,
      `${(noiseMultiplier / untouched).toFixed(2)} times as much, for epsilon ${budget.epsilon}`,
    )
  }
  return { declaredRecords: site.declaredRecords, sampleRate: shape.sampleRate, noiseMultiplier, budget }
}

/** The noise of an untouched budget, and how many times that the run lets a site use. */
interface UsualNoise {
  readonly untouched: number
  readonly maxNoiseRatio: number
}

function tooMuchNoise({ untouched, maxNoiseRatio }: UsualNoise, got: string): FedsvdError {
  return new FedsvdError('BUDGET_TOO_SMALL', {
    expected: `a budget for which ${maxNoiseRatio} times (maxNoiseRatio of the run) the noise multiplier ${untouched.toFixed(3)} of an untouched one is enough`,
    got,
    remedy: 'This data set stays out of the run; nothing was spent.',
  })
}

/** So much noise that the sampler does not draw it would be paid for, and then fail the round. */
function requireDrawable(noiseMultiplier: number, adapter: AdapterSchema): void {
  const dimension = trainedSpecs(adapter).reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const most = mostNoiseMultiplier(dimension)
  if (noiseMultiplier <= most) return
  throw new FedsvdError('BUDGET_TOO_SMALL', {
    expected: `a budget for which a noise multiplier of at most ${most.toFixed(0)} is enough`,
    got: `${noiseMultiplier.toFixed(0)}`,
    remedy: 'An update with so much noise says nothing. This data set stays out of the run; nothing was spent',
  })
}

/** The least noise with which a run fits into the site's budget beside what was spent before; 0 where nothing was. */
function noiseBesideSpent(
  { spent, budget: whole, rule }: SiteLimits,
  rounds: number,
  shape: { readonly sampleRate: number; readonly steps: number },
  usual: UsualNoise,
): number {
  const first = spent[0]
  if (first === undefined) return 0
  const filter = filterOf(rule ?? scheduleRule(first))
  const budget = { ...whole, delta: deltaWithoutMisses(whole.delta, spent.length + rounds) }
  const most = usual.maxNoiseRatio * usual.untouched
  if (!filter.allows([...spent, { ...shape, noiseMultiplier: most }], budget)) {
    const charged = filter.epsilonUpperBound(spent, budget.delta).toFixed(4)
    throw tooMuchNoise(usual, `${charged} of epsilon ${budget.epsilon} charged already`)
  }
  // What lands below the whole of the budget may ask for a little more than is needed.
  return Math.min(most, calibrateNoiseMultiplier({ ...budget, ...shape, prior: spent, accountant: filter }))
}
