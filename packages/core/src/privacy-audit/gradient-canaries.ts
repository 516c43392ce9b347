import { beginClippedSum, GRID_BITS, gridOf, type PrivateRound, type PrivateRoundOptions } from '../privacy/index.ts'
import type { TensorSpec } from '../tensor/index.ts'

/** How much longer than clipNorm a canary's gradient is: only clipping can hold its influence down. */
const LOUDNESS = 10

/** The parameters of an audited round: one trained number for each canary. */
export function canarySpecs(canaries: number): readonly TensorSpec[] {
  return [{ name: 'audit.canaries', shape: [canaries] }]
}

/** What the auditor knows of the round: its public terms. */
export type CanaryTerms = Pick<
  PrivateRoundOptions,
  'clipNorm' | 'noiseMultiplier' | 'sampleRate' | 'steps' | 'learningRate' | 'expectedLotSize'
>

/**
 * Trains through `round` on a data set of gradient canaries, and scores each canary from what the round shows.
 *
 * Canary i has a gradient of 10 clipNorm along coordinate i and of 0 elsewhere: the loudest record that there can be,
 * and the easiest to see, since no other canary touches its coordinate. The data set holds those with `included[i]` =
 * 1. Lots, clipping to the grid, summing, noise and the step are those of training: `drawLot`, {@link beginClippedSum},
 * `step`.
 *
 * The score is the logarithm of how much likelier the observed steps are with the canary than without it, under the
 * terms that are claimed; all steps are seen, as in the accountant's claim. A wrong score would make the audit weaker,
 * never wrong.
 *
 * @param round a round on {@link canarySpecs}, started at zeros, without momentum; all its steps are made
 * @param onStep called after each step with the number of steps made
 * @returns one score per canary
 */
export async function scoreGradientCanaries(
  round: Pick<PrivateRound, 'drawLot' | 'step' | 'current'>,
  included: Uint8Array,
  terms: CanaryTerms,
  onStep: (done: number) => void | Promise<void> = () => {},
): Promise<Float64Array> {
  const canaries = included.length
  const dataSet = Uint32Array.from(included.keys()).filter((canary) => included[canary] === 1)
  const scores = new Float64Array(canaries)
  const perContribution = (-terms.learningRate * gridOf(terms.clipNorm) * 2 ** GRID_BITS) / terms.expectedLotSize
  const loud = Float64Array.of(LOUDNESS * terms.clipNorm)
  let before = round.current()[0]!.data
  for (let step = 1; step <= terms.steps; step++) {
    const sum = beginClippedSum({ specs: canarySpecs(canaries), clipNorm: terms.clipNorm })
    for (const record of round.drawLot(dataSet.length)) sum.addWindow(0, dataSet[record]!, loud)
    await round.step(sum.finish())
    const after = round.current()[0]!.data
    for (let i = 0; i < canaries; i++) {
      scores[i]! += logLikelihoodRatio((after[i]! - before[i]!) / perContribution, terms)
    }
    before = after
    await onStep(step)
  }
  return scores
}

/** log((1 - q) N(x; 0, sigma) + q N(x; 1, sigma)) - log N(x; 0, sigma), x in units of one clipped contribution. */
function logLikelihoodRatio(x: number, { sampleRate, noiseMultiplier }: CanaryTerms): number {
  const exponent = (2 * x - 1) / (2 * noiseMultiplier ** 2)
  return exponent > 600 ? exponent + Math.log(sampleRate) : Math.log1p(sampleRate * Math.expm1(exponent))
}
