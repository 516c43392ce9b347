import { probabilitiesOf } from '@fedsvd/core/metrics'
import { encodeText } from '../datasets/index.ts'
import { wrongTask } from './faults.ts'
import type { ModelInUse, TextInput } from './model-in-use.ts'

/**
 * The probability of each label, in their order, for each text or pair of texts.
 *
 * @throws FedsvdError CONFIG_INVALID where the model is for another task, or takes no pairs
 */
export async function classifyTexts(
  { scorer, tokenizer, labels, maxTokens, task }: ModelInUse,
  texts: readonly TextInput[],
): Promise<readonly Float64Array[]> {
  if (!('logits' in scorer)) throw wrongTask('sequence-classification', task)
  const encoded = []
  for (const { text, pair } of texts) {
    encoded.push(await encodeText({ text, ...(pair !== undefined && { pair }) }, tokenizer, maxTokens))
  }
  return probabilitiesOf(await scorer.logits(encoded), labels.length)
}
