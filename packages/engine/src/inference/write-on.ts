import { FedsvdError } from '@fedsvd/core/errors'
import { predictsTokens } from '@fedsvd/core/lora'
import { IGNORED } from '../datasets/index.ts'
import { wrongTask } from './faults.ts'
import type { ModelInUse } from './model-in-use.ts'

/** What a model wrote behind a prompt. */
export interface Continuation {
  /** What was written, without the prompt. */
  readonly text: string
  readonly promptTokens: number
  readonly newTokens: number
  /** `stop`: the model ended the text. `length`: it wrote as much as it was allowed, or has places for. */
  readonly finish: 'stop' | 'length'
}

export interface WritingTerms {
  readonly maxNewTokens: number
  /** Ends the writing between two tokens. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Continues a prompt by the most likely token, one at a time (greedy decoding), so that the same prompt gives the same
 * text. Each token costs one pass over all the others. A prompt that leaves no place for a token loses its beginning,
 * as in training.
 *
 * @throws FedsvdError CONFIG_INVALID where the model is for another task
 * @throws the signal's reason
 */
export async function writeOn(
  { scorer, tokenizer, places, task }: ModelInUse,
  prompt: string,
  { maxNewTokens, signal }: WritingTerms,
): Promise<Continuation> {
  const { encodeBeginning, decode, endId } = tokenizer
  if (!('scores' in scorer) || !predictsTokens(task) || encodeBeginning === undefined || decode === undefined)
    throw wrongTask('causal-lm', task)
  const whole = await encodeBeginning.call(tokenizer, prompt)
  if (whole.length === 0) {
    throw new FedsvdError('DATA_EMPTY', {
      expected: 'a prompt with at least one token',
      got: 'one without',
      remedy: 'Write something for the model to continue.',
    })
  }
  const ids = Array.from(whole.slice(-Math.max(1, places - maxNewTokens)))
  const promptTokens = ids.length
  let finish: Continuation['finish'] = 'length'
  while (ids.length - promptTokens < maxNewTokens && ids.length < places) {
    signal?.throwIfAborted()
    const targets = new Int32Array(ids.length).fill(IGNORED)
    targets[ids.length - 1] = 0
    const [said] = await scorer.scores([{ tokenIds: Int32Array.from(ids), targets }])
    const next = said!.predicted[0]!
    if (next === endId) {
      finish = 'stop'
      break
    }
    ids.push(next)
  }
  const written = ids.slice(promptTokens)
  // decoded with the prompt and without, since a tokenizer may join or drop the space between the two
  const [before, all] = [await decode.call(tokenizer, ids.slice(0, promptTokens)), await decode.call(tokenizer, ids)]
  const text = all.startsWith(before) ? all.slice(before.length) : await decode.call(tokenizer, written)
  return { text, promptTokens, newTokens: written.length, finish }
}
