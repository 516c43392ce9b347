import { FedsvdError } from '@fedsvd/core/errors'
import { DEFAULT_TASK, type Task } from '@fedsvd/core/lora'
import type { Tokenizer } from '../../tokenizers/index.ts'
import {
  type InstructionRecord,
  type PassageRecord,
  type SiteRecord,
  type TaggedRecord,
  taskOf,
} from '../text-record.ts'
import { recordEncoder } from './encode-records.ts'
import { type EncodedRecord, IGNORED, type TargetedRecord } from './encoded-record.ts'
import { labelIndex, labelUnknown } from './label-set.ts'

/** What a run says about its records. */
export interface EncodingTerms {
  /** Absent: sequence classification. */
  readonly task?: Task | undefined
  /** Labels or tags; label i becomes class i. None where the task predicts tokens. */
  readonly labels: readonly string[]
  readonly maxTokens: number
}

/**
 * Makes the records of a site into what the engine takes, one at a time; `place` is where a record stands, for errors.
 *
 * - sequence classification: the text, or the pair of texts, and its label;
 * - token classification: the words, and at the first token of each word its tag; the others carry no loss;
 * - causal-lm: the text and the token that ends texts; at every token the next one;
 * - instruction tuning: prompt, answer and end; only tokens of the answer and the end are predicted. Where they are too
 *   long together, the prompt loses its beginning; an answer that is too long alone loses its end, and the prompt all
 *   but a token.
 *
 * @throws FedsvdError CONFIG_INVALID for a label set that does not fit the task, and for a model that cannot take it
 * @throws FedsvdError from the encoder: CONFIG_INVALID for a record of another task, LABEL_UNKNOWN, DATA_EMPTY for a
 *   record that leaves nothing to predict
 */
export function taskEncoder(
  tokenizer: Tokenizer,
  { task = DEFAULT_TASK, labels, maxTokens }: EncodingTerms,
): (record: SiteRecord, place: string) => Promise<EncodedRecord> {
  const encode = encoderOf(task, tokenizer, labels, maxTokens)
  return async (record, place) => {
    const found = taskOf(record)
    if (found === task) return await encode(record as never, place)
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `records for ${task}, which this run is for`,
      got: `records for ${found}`,
      remedy: 'Name the task and the columns of the records when the client is started.',
    })
  }
}

type Encode = (record: never, place: string) => Promise<EncodedRecord>

function encoderOf(task: Task, tokenizer: Tokenizer, labels: readonly string[], maxTokens: number): Encode {
  switch (task) {
    case 'sequence-classification':
      return recordEncoder(tokenizer, labels, maxTokens) as Encode
    case 'token-classification':
      return tagged(tokenizer, labels, maxTokens) as Encode
    case 'causal-lm':
      return continued(tokenizer, maxTokens) as Encode
    case 'instruction-tuning':
      return answered(tokenizer, maxTokens) as Encode
  }
}

function tagged(tokenizer: Tokenizer, labels: readonly string[], maxTokens: number) {
  const index = labelIndex(labels)
  const encodeWords = tokenizer.encodeWords?.bind(tokenizer)
  if (encodeWords === undefined) throw wholeTextsOnly()
  return async ({ words, tags }: TaggedRecord, place: string): Promise<EncodedRecord> => {
    const { tokenIds, firstTokens } = await encodeWords(words, maxTokens)
    const targets = new Int32Array(tokenIds.length).fill(IGNORED)
    for (const [word, tag] of tags.entries()) {
      const target = index.get(tag)
      if (target === undefined) throw labelUnknown(labels, place)
      const first = firstTokens[word]!
      if (first >= 0) targets[first] = target
    }
    return withTargets({ tokenIds, targets }, place)
  }
}

function continued(tokenizer: Tokenizer, maxTokens: number) {
  const [begin] = writers(tokenizer)
  return async ({ text }: PassageRecord, place: string): Promise<EncodedRecord> => {
    const whole = [...(await begin(text)), ...endOf(tokenizer)]
    return nextTokens(whole.slice(0, maxTokens), 1, place)
  }
}

function answered(tokenizer: Tokenizer, maxTokens: number) {
  const [begin, carryOn] = writers(tokenizer)
  return async ({ prompt, answer }: InstructionRecord, place: string): Promise<EncodedRecord> => {
    const reply = [...(await carryOn(answer)), ...endOf(tokenizer)].slice(0, Math.max(1, maxTokens - 1))
    const question = [...(await begin(prompt))].slice(-Math.max(1, maxTokens - reply.length))
    return nextTokens([...question, ...reply], question.length, place)
  }
}

/** Every token from position `first` on is a target at the token before it. */
function nextTokens(ids: readonly number[], first: number, place: string): TargetedRecord {
  const targets = Int32Array.from(ids, (_, at) => (at + 1 >= first ? (ids[at + 1] ?? IGNORED) : IGNORED))
  return withTargets({ tokenIds: Int32Array.from(ids), targets }, place)
}

function withTargets(record: TargetedRecord, place: string): TargetedRecord {
  if (record.targets.some((target) => target !== IGNORED)) return record
  throw new FedsvdError('DATA_EMPTY', {
    expected: `something to predict ${place}`,
    got: 'a record with too few tokens',
    remedy: 'Remove records of a single token, or raise maxTokens of the run.',
  })
}

const endOf = ({ endId }: Tokenizer): readonly number[] => (endId === undefined ? [] : [endId])

function writers(tokenizer: Tokenizer) {
  const [begin, carryOn] = [tokenizer.encodeBeginning?.bind(tokenizer), tokenizer.encodeContinuation?.bind(tokenizer)]
  if (begin === undefined || carryOn === undefined) throw wholeTextsOnly()
  return [begin, carryOn] as const
}

function wholeTextsOnly(): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', {
    expected: 'sequence-classification as the task of a model that takes whole texts only',
    got: 'another task',
    remedy: 'Name a checkpoint with a tokenizer of its own.',
  })
}
