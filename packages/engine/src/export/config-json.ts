import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DEFAULT_TASK, predictsTokens, type Task } from '@fedsvd/core/lora'
import type { JsonObject } from '../files/index.ts'
import type { TrainedState } from './trained-state.ts'

/** How the classes of Hugging Face's library begin, for the `model_type`s of config.json. */
const FAMILIES: Readonly<Record<string, string>> = {
  bert: 'Bert',
  roberta: 'Roberta',
  'xlm-roberta': 'XLMRoberta',
  distilbert: 'DistilBert',
  gpt2: 'GPT2',
  llama: 'Llama',
  mistral: 'Mistral',
  qwen2: 'Qwen2',
}

/** The class that a model of this type and task is in Hugging Face's library. */
export function architectureOf(modelType: string, task: Task): string | undefined {
  const family = FAMILIES[modelType]
  if (family === undefined) return undefined
  if (predictsTokens(task)) return family === 'GPT2' ? 'GPT2LMHeadModel' : `${family}ForCausalLM`
  return `${family}${task === 'token-classification' ? 'ForTokenClassification' : 'ForSequenceClassification'}`
}

/**
 * Writes config.json for a model of a task and its labels in float32, as Hugging Face's library has it. @returns its
 * path
 */
export async function writeConfig(
  folder: string,
  config: JsonObject,
  { task = DEFAULT_TASK, labels }: Pick<TrainedState, 'task' | 'labels'>,
): Promise<string> {
  const { dtype: _dtype, num_labels: _labels, ...kept } = config
  const architecture = architectureOf(String(config.model_type), task)
  const classes = {
    id2label: Object.fromEntries(labels.map((label, index) => [String(index), label])),
    label2id: Object.fromEntries(labels.map((label, index) => [label, index])),
  }
  const described = {
    ...kept,
    ...(architecture && { architectures: [architecture] }),
    torch_dtype: 'float32',
    ...(task === 'sequence-classification' && { problem_type: 'single_label_classification' }),
    ...(labels.length > 0 && classes),
  }
  const path = join(folder, 'config.json')
  await writeFile(path, `${JSON.stringify(described, null, 2)}\n`)
  return path
}
