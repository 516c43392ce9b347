import { IGNORED } from '../datasets/index.ts'
import type { TargetedRecord, TargetScores } from '../training/index.ts'
import type { TokenScorer } from './scorer.ts'

/**
 * The probability of what was predicted at each target of each record. The model is asked again with its own answers as
 * the targets: the loss of each is then -ln of its probability.
 */
export async function confidencesOf(
  scorer: TokenScorer,
  records: readonly TargetedRecord[],
  scores: readonly TargetScores[],
): Promise<readonly Float32Array[]> {
  const answered = records.map((record, index) => {
    let next = 0
    const { predicted } = scores[index]!
    return { ...record, targets: record.targets.map((target) => (target < 0 ? IGNORED : predicted[next++]!)) }
  })
  return (await scorer.scores(answered)).map(({ losses }) => losses.map((loss) => Math.exp(-loss)))
}
