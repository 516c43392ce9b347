import { FedsvdError } from '@fedsvd/core/errors'
import { IGNORED } from '../datasets/index.ts'
import { confidencesOf } from './confidence.ts'
import { wrongTask } from './faults.ts'
import type { ModelInUse } from './model-in-use.ts'

/** What a model says of one word; nothing of a word that was cut off, or that is no token to it. */
export interface WordTag {
  readonly word: string
  readonly tag?: string
  /** The probability of the tag. */
  readonly score?: number
}

/**
 * The tag of each word.
 *
 * @throws FedsvdError CONFIG_INVALID where the model is for another task
 */
export async function tagWords(
  { scorer, tokenizer, labels, maxTokens, task }: ModelInUse,
  words: readonly string[],
): Promise<readonly WordTag[]> {
  if (!('scores' in scorer) || task !== 'token-classification' || tokenizer.encodeWords === undefined)
    throw wrongTask('token-classification', task)
  const { tokenIds, firstTokens } = await tokenizer.encodeWords(words, maxTokens)
  const places = new Int32Array(tokenIds.length).fill(IGNORED)
  for (const first of firstTokens) if (first >= 0) places[first] = 0
  if (!places.includes(0)) return words.map((word) => ({ word }))
  const record = { tokenIds, targets: places }
  const scores = await scorer.scores([record])
  const [confidences] = await confidencesOf(scorer, [record], scores)
  const order = [...places.keys()].filter((at) => places[at] === 0)
  return words.map((word, index) => {
    const at = order.indexOf(firstTokens[index]!)
    return at < 0 ? { word } : { word, tag: labels[scores[0]!.predicted[at]!]!, score: confidences![at]! }
  })
}

/** The words of a text: what stands between white space. @throws FedsvdError DATA_EMPTY for a blank text */
export function wordsOf(text: string): string[] {
  const words = text.split(/\s+/).filter(Boolean)
  if (words.length > 0) return words
  throw new FedsvdError('DATA_EMPTY', {
    expected: 'a text with a word in it',
    got: 'a blank one',
    remedy: 'Leave blank texts out.',
  })
}
