import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AdapterSchema, AdapterState, Task } from '@fedsvd/core/adapters'
import type { CheckpointFolder } from '../checkpoint/index.ts'
import { taskFields } from './layout.ts'

/** What an export is made of: a state of a run, and what the run says about itself. */
export interface TrainedState {
  /** Default: sequence classification. */
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

const TOKENIZER_FILES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'vocab.txt',
  'vocab.json',
  'merges.txt',
]

/**
 * Starts a folder that others can load: config.json for the task in float32, and the tokenizer's files as they are.
 *
 * @returns the files written
 */
export async function startExport(
  folder: string,
  { folder: source, config, modelType }: CheckpointFolder,
  { task = 'sequence-classification', labels }: Pick<TrainedState, 'task' | 'labels'>,
): Promise<string[]> {
  await mkdir(folder, { recursive: true })
  const { dtype: _dtype, num_labels: _labels, ...kept } = config
  const changed = { ...kept, ...taskFields(modelType, task, labels), torch_dtype: 'float32' }
  const path = join(folder, 'config.json')
  await writeFile(path, `${JSON.stringify(changed, null, 2)}\n`)
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
