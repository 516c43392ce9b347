import { FedsvdError } from '@fedsvd/core/errors'
import { LIMITS, type RunManifest, type RunRequest } from '@fedsvd/core/protocol'
import { scheduledEvaluations } from '@fedsvd/core/site-evaluation'
import type { EpsilonBounds } from './epsilon.ts'

/**
 * The part of the target's epsilon that evaluations cost the units set aside where the request names no noise. Half,
 * since a ledger that spans runs counts by a filter and not by PLD, and what is left pays for later runs.
 */
const SHARE_OF_TARGET = 0.5

/**
 * The terms of a run's evaluation at the sites as its manifest will state them.
 *
 * @throws FedsvdError CONFIG_INVALID for a run without a round to evaluate in, or a target that noise cannot be
 *   calibrated for
 */
export async function siteEvaluationOf(
  asked: NonNullable<RunRequest['siteEvaluation']>,
  { rounds, target }: Pick<RunRequest, 'rounds' | 'target'>,
  bounds: EpsilonBounds,
): Promise<NonNullable<RunManifest['siteEvaluation']>> {
  const steps = scheduledEvaluations({ rounds, siteEvaluation: { ...asked, noiseMultiplier: 1 } })
  if (steps === 0) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: 'at least 2 rounds beside siteEvaluation, which measures the state that a later round starts from',
      got: String(rounds),
      remedy: 'Ask for more rounds, or leave siteEvaluation out.',
    })
  }
  if (asked.noiseMultiplier !== undefined) return { ...asked, noiseMultiplier: asked.noiseMultiplier }
  const budget = { ...target, epsilon: SHARE_OF_TARGET * target.epsilon }
  const question = { by: 'pld' as const, budget, sampleRate: 1, steps }
  const noiseMultiplier = (await bounds.noiseFor(question)) ?? LIMITS.noiseMultiplier.most
  return { ...asked, noiseMultiplier }
}
