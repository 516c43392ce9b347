import type { AccountedEvent } from '@fedsvd/core/accounting'
import type { RunManifest, SiteEvaluationFigures } from '@fedsvd/core/protocol'
import { evaluationsIn, eventOfEvaluation } from '@fedsvd/core/site-evaluation'
import { siteFigures } from '../evaluation/index.ts'
import type { SiteEvaluationCounts, Store } from '../storage/records/index.ts'

/** Figures of noised counts, of all sites together and of each. */
export function siteEvaluationOf(
  manifest: RunManifest,
  { sites }: SiteEvaluationCounts,
  names: ReadonlyMap<string, string>,
): SiteEvaluationFigures {
  return {
    ...structuredClone(
      siteFigures(
        manifest,
        sites.map(({ counts }) => counts),
      ) as Omit<SiteEvaluationFigures, 'sites'>,
    ),
    sites: sites.map(({ clientId, counts }) => {
      const { units, accuracy, interval } = siteFigures(manifest, [counts])
      return { clientId, name: names.get(clientId) ?? clientId, units, accuracy, interval }
    }),
  }
}

/** Rounds of a run that are published or under way. */
export async function begunRounds({ rounds }: Store, { runId }: RunManifest): Promise<number> {
  const published = await rounds.publishedCount(runId)
  return published + Number((await rounds.find(runId, published)) !== undefined)
}

/**
 * What evaluations have cost the units that a client has set aside, at most: those of all rounds that have begun,
 * whoever was asked in them. Nothing for a client that has spent nothing.
 */
export function evaluationsOf(
  manifest: RunManifest,
  begun: number,
  spent: readonly unknown[],
): readonly AccountedEvent[] {
  const { siteEvaluation, ...run } = manifest
  const steps = evaluationsIn(manifest, begun)
  if (siteEvaluation === undefined || steps === 0 || spent.length === 0) return []
  return [{ ...eventOfEvaluation({ ...run, siteEvaluation }), steps }]
}
