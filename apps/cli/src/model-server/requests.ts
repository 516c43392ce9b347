import { FedsvdError } from '@fedsvd/core/errors'
import { parseMessage } from '@fedsvd/core/protocol'
import type { ModelInput } from '@fedsvd/engine/datasets'
import { z } from 'zod'

/** What one request may ask. Texts are bounded by the body that they come in. */
export const REQUEST_LIMITS = {
  /** Texts of one request, as text-embeddings-inference has it. */
  texts: 32,
  /** Bytes of a body, as text-embeddings-inference has it. */
  bytes: 2_000_000,
  /** Tokens that are written for one text. */
  newTokens: 512,
} as const

const text = z.string().min(1)
const pair = z.strictObject({ text, text_pair: text })
const one = z.union([text, pair])
/** Of text-embeddings-inference: one text, or two that make a pair, in a list of their own. */
const listed = z.union([z.tuple([text]), z.tuple([text, text])])
const batch = z.union([z.array(one).min(1).max(REQUEST_LIMITS.texts), z.array(listed).min(1).max(REQUEST_LIMITS.texts)])

/** Switches of other servers that change nothing here, and are taken so that their clients need not be changed. */
const switches = { truncate: z.boolean().optional(), raw_scores: z.literal(false).optional() }

const predictSchema = z.strictObject({
  inputs: z.union([one, batch]),
  ...switches,
  parameters: z.strictObject({ top_k: z.int().min(1).nullable().optional() }).optional(),
})

const maxNewTokens = z.int().min(1).max(REQUEST_LIMITS.newTokens)

const generateSchema = z.strictObject({
  inputs: text,
  parameters: z
    .strictObject({ max_new_tokens: maxNewTokens.optional(), do_sample: z.literal(false).optional() })
    .optional(),
})

const completionSchema = z.strictObject({
  model: z.string().max(1000).optional(),
  prompt: z.union([text, z.tuple([text])]),
  max_tokens: maxNewTokens.optional(),
  temperature: z.literal(0).optional(),
  n: z.literal(1).optional(),
  stream: z.literal(false).optional(),
})

/** Texts to predict for; `isBatch` says whether the answer is a list of answers. */
export interface PredictRequest {
  readonly inputs: readonly ModelInput[]
  readonly isBatch: boolean
  /** As many labels as are told, the most likely first; absent: all. */
  readonly most?: number
}

/** A text to go on from. */
export interface WriteRequest {
  readonly prompt: string
  readonly maxNewTokens: number
}

/** Where a request does not say how much is to be written: as many as text-generation-inference writes then. */
const FEW_NEW_TOKENS = 100

/** @throws FedsvdError MESSAGE_INVALID */
export function readPredict(body: unknown): PredictRequest {
  const { inputs, parameters } = read(predictSchema, body, 'a request to predict')
  const most = parameters?.top_k ?? undefined
  const shared = most === undefined ? {} : { most }
  if (!Array.isArray(inputs)) return { inputs: [inputOf(inputs)], isBatch: false, ...shared }
  return { inputs: inputs.map(inputOf), isBatch: true, ...shared }
}

/** @throws FedsvdError MESSAGE_INVALID */
export function readGenerate(body: unknown): WriteRequest {
  const { inputs, parameters } = read(generateSchema, body, 'a request to generate')
  return { prompt: inputs, maxNewTokens: parameters?.max_new_tokens ?? FEW_NEW_TOKENS }
}

/** @throws FedsvdError MESSAGE_INVALID */
export function readCompletion(body: unknown): WriteRequest {
  const { prompt, max_tokens } = read(completionSchema, body, 'a request for a completion')
  return { prompt: typeof prompt === 'string' ? prompt : prompt[0], maxNewTokens: max_tokens ?? FEW_NEW_TOKENS }
}

type Given = z.infer<typeof one> | z.infer<typeof listed>

function inputOf(given: Given): ModelInput {
  if (typeof given === 'string') return { text: given }
  if (!Array.isArray(given)) return { text: given.text, pair: given.text_pair }
  const [first, second] = given
  return second === undefined ? { text: first } : { text: first, pair: second }
}

function read<T>(schema: z.ZodType<T>, body: unknown, what: string): T {
  const found = parseMessage(schema, body, what)
  const whole = JSON.stringify(body)
  if (!/\\ud[89a-f]/i.test(whole)) return found
  // half a character, which JSON can spell, would become another one on its way to the tokenizer
  throw new FedsvdError('MESSAGE_INVALID', {
    expected: 'texts of whole characters',
    got: 'half of one (a lone surrogate)',
    remedy: 'Send the text as it was.',
  })
}
