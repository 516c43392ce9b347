import { largestShare, measureLogits, measureTargets, targetsOf } from '@fedsvd/core/metrics'
import type { RunManifest } from '@fedsvd/core/protocol'
import type { EncodedRecord, LabelledRecord, TargetedRecord, TaskEngine } from '@fedsvd/engine/training'
import type { Evaluator } from './evaluator.ts'

/** Measures states on records that the run's model can take. The engine stays the caller's, to close and to share. */
export function evaluatorOn(
  engine: TaskEngine,
  encoded: readonly EncodedRecord[],
  manifest: Pick<RunManifest, 'task' | 'labels'>,
): Pick<Evaluator, 'baseline' | 'evaluate'> {
  if ('logits' in engine) {
    const records = encoded as readonly LabelledRecord[]
    const labels = records.map(({ label }) => label)
    const classes = manifest.labels.length
    return {
      baseline: { majority: largestShare(labels), records: records.length },
      evaluate: async (state) => measureLogits({ logits: await engine.logits(records, state), labels, classes }),
    }
  }
  const records = encoded as readonly TargetedRecord[]
  const tags = manifest.task === 'token-classification' ? manifest.labels : []
  return {
    baseline: {
      majority: largestShare(records.flatMap(({ targets }) => targetsOf(targets))),
      records: records.length,
    },
    evaluate: async (state) => {
      const scores = await engine.scores(records, state)
      return measureTargets(
        records.map(({ targets }, index) => ({ targets, ...scores[index]! })),
        tags,
      )
    },
  }
}
