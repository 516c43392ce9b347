import type { Schedule } from '../accounting/index.ts'
import { scheduledSteps } from '../accounting/index.ts'
import { deltaWithoutMisses } from './release-slot.ts'

/** What of a run decides the noise of a site whose budget is untouched. */
export interface TargetedRun extends Schedule {
  readonly target: { readonly epsilon: number; readonly delta: number }
}

/**
 * The question that the noise multiplier of an untouched site answers: which noise spends the target of a run in all of
 * its rounds and the spare steps, with what releases that miss their slot take of delta. Site and coordinator ask it of
 * the same accountant (PLD), so that both have the same figure to measure by.
 *
 * @param sampleRate of the site
 */
export function untouchedNoiseQuestion({ target, rounds, localSteps }: TargetedRun, sampleRate: number) {
  return {
    budget: { epsilon: target.epsilon, delta: deltaWithoutMisses(target.delta, rounds) },
    sampleRate,
    steps: scheduledSteps({ rounds, localSteps }),
  }
}

/** What the same calibration gives on two machines may differ by, relatively. */
const ROUNDING = 1e-9

/**
 * Whether a site uses no more extra noise than its run allows: the ratio of the noise multiplier that it uses to the
 * one that it would need with an untouched budget, under the run's target. It counts what is used, whatever made it
 * necessary: what was spent before, or a budget of the site's own that is smaller than the target.
 *
 * @param untouched the answer to {@link untouchedNoiseQuestion}
 */
export function isWithinNoiseRatio(noiseMultiplier: number, untouched: number, maxNoiseRatio: number): boolean {
  return noiseMultiplier <= maxNoiseRatio * untouched * (1 + ROUNDING)
}
