import { predictsTokens } from '@fedsvd/core/lora'
import type { ModelInput } from '../datasets/index.ts'
import { classifyTexts } from './classify.ts'
import type { ModelInUse } from './model-in-use.ts'
import { tagWords, type WordTag, wordsOf } from './tag-words.ts'
import { type Continuation, type WritingTerms, writeOn } from './write-on.ts'

/** The labels of a text with their probabilities. */
export interface LabelAnswer {
  /** The most likely one; of equals the first. */
  readonly label: string
  readonly score: number
  readonly scores: Readonly<Record<string, number>>
}

/** The words of a text with their tags. */
export interface TagAnswer {
  readonly words: readonly WordTag[]
}

/** What a model says of one text: a label, tags, or how it goes on. */
export type Answer = LabelAnswer | TagAnswer | Continuation

/**
 * What a model says of each text.
 *
 * @throws FedsvdError CONFIG_INVALID, DATA_EMPTY for a text without a token to go on from
 */
export async function answersOf(
  model: ModelInUse,
  inputs: readonly ModelInput[],
  terms: WritingTerms,
): Promise<readonly Answer[]> {
  const { labels, task } = model
  if (task === 'sequence-classification') {
    return (await classifyTexts(model, inputs)).map((probabilities) => labelAnswer(labels, probabilities))
  }
  const answers: Answer[] = []
  for (const { text, words } of inputs) {
    terms.signal?.throwIfAborted()
    if (predictsTokens(task)) answers.push(await writeOn(model, text, terms))
    else answers.push({ words: await tagWords(model, words ?? wordsOf(text)) })
  }
  return answers
}

function labelAnswer(labels: readonly string[], probabilities: Float64Array): LabelAnswer {
  const best = probabilities.indexOf(probabilities.reduce((largest, value) => Math.max(largest, value), 0))
  const scores = Object.fromEntries(labels.map((label, index) => [label, probabilities[index]!]))
  return { label: labels[best]!, score: probabilities[best]!, scores }
}
