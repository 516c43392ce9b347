import { makeFolder } from '../files/index.ts'
import type { CheckpointFolder } from '../weights/huggingface/index.ts'
import { writeConfig } from './config-json.ts'
import { copyTokenizer } from './tokenizer-export.ts'
import type { TrainedState } from './trained-state.ts'

/**
 * Starts a folder that others can load: config.json for a model of this task and these labels in float32, and the
 * tokenizer's files, which cut texts where the run did.
 *
 * @returns the files written
 */
export async function startExport(
  folder: string,
  { folder: source, config }: CheckpointFolder,
  trained: Pick<TrainedState, 'task' | 'labels' | 'maxTokens'>,
): Promise<string[]> {
  makeFolder(folder)
  const path = await writeConfig(folder, config, trained)
  return [path, ...(await copyTokenizer(folder, source, trained))]
}
