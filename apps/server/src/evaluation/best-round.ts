import { layoutOf, type RunManifest, type RunSnapshot } from '@fedsvd/core/protocol'
import { type EvaluationFigures, evaluationFigures } from '@fedsvd/core/site-evaluation'
import type { PublishedRound, Store } from '../storage/records/index.ts'

type Measured = Pick<PublishedRound, 'round' | 'siteEvaluation'>
type Public = Pick<RunManifest, 'siteEvaluation' | 'task' | 'labels'>

/** What all sites together, or one of them, counted of the state that came out of a round. */
export function siteFigures(manifest: Public, counts: readonly (readonly number[])[]): EvaluationFigures {
  return evaluationFigures(layoutOf(manifest), counts, manifest.siteEvaluation!.noiseMultiplier)
}

/** The accuracy of each round that its sites have measured, in their order. */
function accuracies(manifest: Public, rounds: readonly Measured[]) {
  return rounds.flatMap(({ round, siteEvaluation }) => {
    if (manifest.siteEvaluation === undefined || siteEvaluation === undefined) return []
    const counts = siteEvaluation.sites.map((site) => site.counts)
    return [{ round, accuracy: siteFigures(manifest, counts).accuracy }]
  })
}

/** The round with the best accuracy at the sites; the earlier one of equals. Undefined where they measured none. */
function bestAtSites(manifest: Public, rounds: readonly Measured[]) {
  const measured = accuracies(manifest, rounds)
  if (measured.length === 0) return undefined
  return measured.reduce((most, one) => (one.accuracy > most.accuracy ? one : most))
}

/**
 * The round whose state is the best: by its sites where the run evaluates at them, else on the hold-out. Undefined
 * where neither has measured one.
 */
export async function bestRound(
  { rounds }: Pick<Store, 'rounds'>,
  manifest: Public & Pick<RunManifest, 'runId'>,
): Promise<RunSnapshot['best']> {
  const { runId, siteEvaluation } = manifest
  const bySites = siteEvaluation && bestAtSites(manifest, await rounds.published(runId))
  return bySites === undefined ? await rounds.best(runId) : { ...bySites, measuredBy: 'sites' }
}

/**
 * Whether a run has had its patience: as many evaluations in a row as it allows were no better than the best before
 * them. Figures are noised already, so looking at them costs nothing.
 */
export function isOutOfPatience(manifest: Public, rounds: readonly Measured[]): boolean {
  const patience = manifest.siteEvaluation?.patience
  const best = bestAtSites(manifest, rounds)
  if (patience === undefined || best === undefined) return false
  return accuracies(manifest, rounds).filter(({ round }) => round > best.round).length >= patience
}
