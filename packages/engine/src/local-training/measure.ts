import type { AdapterState } from '@fedsvd/core/lora'
import { measureLogits, measureTargets } from '@fedsvd/core/metrics'
import type { EncodedRecord, LabelledRecord, TargetedRecord } from '../datasets/index.ts'
import type { TaskEngine } from '../training/index.ts'

/** How well a state does on records that are at hand. */
export interface Measurement {
  /** Share of records (or of targets, where each token has one) that are predicted. */
  readonly accuracy: number
  /** Mean cross-entropy in nats. */
  readonly loss: number
}

/** Measures a state on records of the engine's task. */
export async function measure(
  engine: TaskEngine,
  records: readonly EncodedRecord[],
  state: AdapterState,
  classes: number,
): Promise<Measurement> {
  if ('logits' in engine) {
    const labels = (records as readonly LabelledRecord[]).map(({ label }) => label)
    return measureLogits({ logits: await engine.logits(records, state), labels, classes })
  }
  const scores = await engine.scores(records, state)
  return measureTargets(
    (records as readonly TargetedRecord[]).map(({ targets }, index) => ({ targets, ...scores[index]! })),
  )
}
