import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { predictsTokens, type Task } from '@fedsvd/core/lora'
import { type JsonObject, jsonObject, readBytes, readIfThere } from '../files/index.ts'

/** Where no file of a folder says how long a text may be. */
export const TEXT_LENGTH = 512

/** A JSON file of a folder. @throws FedsvdError CHECKPOINT_INVALID */
export async function readFacts(folder: string, name: string): Promise<JsonObject> {
  const path = join(folder, name)
  return jsonObject((await readBytes(path, 'Copy the whole folder.')).toString('utf8'), path)
}

/**
 * What a model is for, by the class that config.json names.
 *
 * @throws FedsvdError CHECKPOINT_INVALID where it names none that predicts anything here
 */
export function taskOfConfig({ architectures }: JsonObject, folder: string): Task {
  const [name] = Array.isArray(architectures) ? (architectures as unknown[]) : []
  const text = String(name)
  if (text.endsWith('ForSequenceClassification')) return 'sequence-classification'
  if (text.endsWith('ForTokenClassification')) return 'token-classification'
  if (/(ForCausalLM|LMHeadModel)$/.test(text)) return 'causal-lm'
  throw new FedsvdError('CHECKPOINT_INVALID', {
    expected: `architectures of config.json in ${folder} to name a class for sequence classification, token classification or causal language modelling`,
    got: JSON.stringify(architectures)?.slice(0, 200) ?? 'no architectures',
    remedy: 'Name a folder that `fedsvd export` wrote, or a checkpoint that was trained for a task.',
  })
}

/**
 * The labels of config.json in the order of the logits; none where tokens are predicted.
 *
 * @throws FedsvdError CHECKPOINT_INVALID where classes are missing, or fewer than two
 */
export function labelsOfConfig({ id2label }: JsonObject, task: Task, folder: string): readonly string[] {
  if (predictsTokens(task)) return []
  const named = Object.entries((id2label ?? {}) as Record<string, unknown>)
  const labels = named.map((_, index) => (id2label as Record<string, unknown>)[String(index)])
  if (labels.length >= 2 && labels.every((label) => typeof label === 'string')) return labels as string[]
  throw new FedsvdError('CHECKPOINT_INVALID', {
    expected: `id2label of config.json in ${folder} to name two or more labels by their numbers from 0`,
    got: JSON.stringify(id2label)?.slice(0, 200) ?? 'no id2label',
    remedy: 'Name a folder that `fedsvd export` wrote, or add the labels to its config.json.',
  })
}

/** How long a text may be: as the tokenizer of the folder says, and at most as long as the model takes. */
export async function maxTokensIn(folder: string, most: number): Promise<number> {
  const bytes = await readIfThere(join(folder, 'tokenizer_config.json'))
  const config = bytes && jsonObject(bytes.toString('utf8'), join(folder, 'tokenizer_config.json'))
  const said = config?.model_max_length
  return typeof said === 'number' && said >= 1 ? Math.min(Math.floor(said), most) : most
}
