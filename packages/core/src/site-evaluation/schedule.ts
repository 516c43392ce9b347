import { type PrivacyEvent, scheduledSteps, unitOfRun } from '../accounting/index.ts'

/** How the sites of a run measure its states on records that they do not train on. */
export interface SiteEvaluation {
  /** The share of its units that each site sets aside. */
  readonly share: number
  /** Rounds from one evaluation to the next. */
  readonly every: number
  /** Standard deviation of the noise over the sensitivity of the counts, the same at every site. */
  readonly noiseMultiplier: number
  /** So many evaluations without a better one end the run; absent: none do. */
  readonly patience?: number | undefined
}

/** What of a run decides when it is evaluated. */
export interface EvaluatedRun {
  readonly rounds: number
  readonly siteEvaluation?: SiteEvaluation | undefined
  readonly unit?: { readonly kind: 'person' } | undefined
}

/**
 * Whether the sites measure, in this round, the state that it starts from. Fixed before the run begins: every so many
 * rounds, and in the last one of the manifest. Rounds by which operators extend a run have no evaluation, as none was
 * planned for.
 *
 * @param round from 0: the state of round 0 is the initial one, which is not measured
 */
export function isEvaluationRound({ rounds, siteEvaluation }: EvaluatedRun, round: number): boolean {
  if (siteEvaluation === undefined || round < 1 || round >= rounds) return false
  return round % siteEvaluation.every === 0 || round === rounds - 1
}

/** How many rounds of a run have an evaluation, up to and without round `end`. */
export function evaluationsIn(run: EvaluatedRun, end = run.rounds): number {
  const { rounds, siteEvaluation } = run
  if (siteEvaluation === undefined) return 0
  const last = Math.min(end, rounds) - 1
  if (last < 1) return 0
  const isExtra = last === rounds - 1 && last % siteEvaluation.every !== 0
  return Math.floor(last / siteEvaluation.every) + Number(isExtra)
}

/** Evaluations that noise is calibrated for: all of them, and spare ones for interruptions, as training has them. */
export function scheduledEvaluations(run: EvaluatedRun): number {
  const evaluations = evaluationsIn(run)
  return evaluations === 0 ? 0 : scheduledSteps({ rounds: evaluations, localSteps: 1 })
}

/** What one evaluation costs each unit that is set aside: one Gaussian mechanism over all of them. */
export function eventOfEvaluation(run: EvaluatedRun & { readonly siteEvaluation: SiteEvaluation }): PrivacyEvent {
  return {
    mechanism: 'poisson-subsampled-gaussian',
    sampleRate: 1,
    noiseMultiplier: run.siteEvaluation.noiseMultiplier,
    steps: 1,
    clipNorm: 1,
    relation: 'add-or-remove-one',
    unit: unitOfRun(run),
  }
}
