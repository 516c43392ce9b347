import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type AdapterSchema, type AdapterState, DEFAULT_TASK, predictsTokens, type Task } from '@fedsvd/core/lora'
import { makeFolder } from '../files/index.ts'
import type { CheckpointFolder } from '../weights/huggingface/index.ts'

/** What an export is made of: a state of a run, and what the run says about itself. */
export interface TrainedState {
  /** Absent: sequence classification. */
  readonly task?: Task | undefined
  readonly schema: AdapterSchema
  readonly state: AdapterState
  /** Class names in the order of the logits. */
  readonly labels: readonly string[]
  /** What multiplied the input of the head's output layer in training, 1 unless given. */
  readonly featureScale?: number | undefined
  /** Free text facts for the files' metadata: run, round, privacy. */
  readonly metadata?: Readonly<Record<string, string>>
}

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
function architectureOf(modelType: string, task: Task): string | undefined {
  const family = FAMILIES[modelType]
  if (family === undefined) return undefined
  if (predictsTokens(task)) return family === 'GPT2' ? 'GPT2LMHeadModel' : `${family}ForCausalLM`
  return `${family}${task === 'token-classification' ? 'ForTokenClassification' : 'ForSequenceClassification'}`
}

const TOKENIZER_FILES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'vocab.txt',
  'vocab.json',
  'merges.txt',
]

/**
 * Starts a folder that others can load: config.json for a model of this task and these labels in float32, and the
 * tokenizer's files as they are.
 *
 * @returns the files written
 */
export async function startExport(
  folder: string,
  { folder: source, config, modelType }: CheckpointFolder,
  { task = DEFAULT_TASK, labels }: Pick<TrainedState, 'task' | 'labels'>,
): Promise<string[]> {
  makeFolder(folder)
  const { dtype: _dtype, num_labels: _labels, ...kept } = config
  const architecture = architectureOf(modelType, task)
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
  const files = [path]
  for (const name of TOKENIZER_FILES) {
    const target = join(folder, name)
    const isCopied = await copyFile(join(source, name), target).then(
      () => true,
      () => false,
    )
    if (isCopied) files.push(target)
  }
  return files
}
