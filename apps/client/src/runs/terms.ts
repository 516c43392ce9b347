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
import { deltaWithoutMisses, mostNoiseMultiplier } from '@fedsvd/core/privacy'
import type { Budget, PrivacyTerms, RunManifest } from '@fedsvd/core/protocol'
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

/**
 * A site whose budget is nearly spent could still join with noise that drowns its update and everybody else's. It stays
 * out when it would need this many times the noise that the run's own target asks for.
 */
const MOST_EXTRA_NOISE = 10

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
 * this run was chosen after earlier ones were seen.
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
  const forThisRun = calibrateNoiseMultiplier({ ...forNoise, ...shape, accountant: pld })
  const noiseMultiplier = Math.max(forThisRun, noiseBesideSpent(site, manifest.rounds, shape, forThisRun))
  requireDrawable(noiseMultiplier, manifest.adapter)
  return { declaredRecords: site.declaredRecords, sampleRate: shape.sampleRate, noiseMultiplier, budget }
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
  usual: number,
): number {
  const first = spent[0]
  if (first === undefined) return 0
  const filter = filterOf(rule ?? scheduleRule(first))
  const budget = { ...whole, delta: deltaWithoutMisses(whole.delta, spent.length + rounds) }
  const most = { ...shape, noiseMultiplier: MOST_EXTRA_NOISE * usual }
  if (filter.allows([...spent, most], budget)) {
    return calibrateNoiseMultiplier({ ...budget, ...shape, prior: spent, accountant: filter })
  }
  throw new FedsvdError('BUDGET_TOO_SMALL', {
    expected: `enough left of epsilon ${budget.epsilon} for at most ${MOST_EXTRA_NOISE} times the noise multiplier ${usual.toFixed(3)} of this run`,
    got: `${filter.epsilonUpperBound(spent, budget.delta).toFixed(4)} charged already`,
    remedy: 'This data set stays out of the run; nothing was spent.',
  })
}
