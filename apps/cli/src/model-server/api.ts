import { FedsvdError } from '@fedsvd/core/errors'
import { predictsTokens } from '@fedsvd/core/lora'
import type { Answer, Continuation, LabelAnswer, ModelInUse, TagAnswer } from '@fedsvd/engine/inference'
import {
  type PredictRequest,
  REQUEST_LIMITS,
  readCompletion,
  readGenerate,
  readPredict,
  type WriteRequest,
} from './requests.ts'

/** Answers a body. It may be ended by its signal, between two tokens or texts. */
export type Handler = (body: unknown, signal: AbortSignal) => Promise<unknown>

/** What is asked by POST, by path: of a model that labels, or of one that writes. */
export function routesOf(model: ModelInUse): Readonly<Record<string, Handler>> {
  if (!predictsTokens(model.task)) {
    return { '/predict': (body, signal) => predict(model, readPredict(body), signal) }
  }
  return {
    '/generate': async (body, signal) => ({ generated_text: (await write(model, readGenerate(body), signal)).text }),
    '/v1/completions': async (body, signal) => completion(model, await write(model, readCompletion(body), signal)),
  }
}

/** What the server says about itself: `GET /info`. */
export function infoOf({ name, task, labels, maxTokens, places }: ModelInUse): object {
  return {
    model_id: name,
    task,
    ...(labels.length > 0 && {
      id2label: Object.fromEntries(labels.map((label, index) => [String(index), label])),
    }),
    max_input_length: predictsTokens(task) ? places : maxTokens,
    max_client_batch_size: REQUEST_LIMITS.texts,
  }
}

async function predict(model: ModelInUse, request: PredictRequest, signal: AbortSignal): Promise<unknown> {
  const { inputs, isBatch, most } = request
  const isPaired = inputs.some(({ pair }) => pair !== undefined)
  if (isPaired && model.task !== 'sequence-classification') {
    throw new FedsvdError('MESSAGE_INVALID', {
      expected: 'single texts, for tags',
      got: 'a pair of texts',
      remedy: 'Send each text by itself.',
    })
  }
  const { answersOf } = await import('@fedsvd/engine/inference')
  const answers = await answersOf(model, inputs, { maxNewTokens: 1, signal })
  const told = answers.map((answer, index) => toldOf(answer, inputs[index]!.text, most))
  return isBatch ? told : told[0]
}

function toldOf(answer: Answer, text: string, most?: number): unknown {
  if ('scores' in answer) return labelsOf(answer).slice(0, most)
  if ('words' in answer) return entitiesOf(answer, text)
  return answer
}

/** The most likely first, as text-embeddings-inference has it. */
function labelsOf({ scores }: LabelAnswer): { readonly score: number; readonly label: string }[] {
  const found = Object.entries(scores).map(([label, score]) => ({ score, label }))
  return found.sort((one, other) => other.score - one.score)
}

/** The words with their places in the text, as Transformers' pipeline for tokens has them. */
function entitiesOf({ words }: TagAnswer, text: string): unknown[] {
  let from = 0
  return words.flatMap(({ word, tag, score }, index) => {
    const start = text.indexOf(word, from)
    from = start + word.length
    return tag === undefined ? [] : [{ entity: tag, score, index, word, start, end: from }]
  })
}

async function write(model: ModelInUse, request: WriteRequest, signal: AbortSignal): Promise<Continuation> {
  const { writeOn } = await import('@fedsvd/engine/inference')
  return await writeOn(model, request.prompt, { maxNewTokens: request.maxNewTokens, signal })
}

/** As OpenAI's interface has it; there is nothing to tell two answers apart by, and so no identifier. */
function completion({ name }: ModelInUse, { text, finish, promptTokens, newTokens }: Continuation): object {
  return {
    object: 'text_completion',
    model: name,
    choices: [{ index: 0, text, finish_reason: finish, logprobs: null }],
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: newTokens,
      total_tokens: promptTokens + newTokens,
    },
  }
}
