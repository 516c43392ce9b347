import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import type { Checkpoint } from '@fedsvd/core/models'
import { type JsonObject, jsonObject, readBytes } from '../../files/index.ts'
import { type HuggingFaceTokenizer, loadHuggingFaceTokenizer, type TokenizerOptions } from '../../tokenizers/index.ts'
import { readTensors } from './tensor-files.ts'

/** A checkpoint on disk as Hugging Face's libraries save it: config.json, safetensors, tokenizer.json. */
export interface CheckpointFolder {
  readonly folder: string
  /** `model_type` of config.json, such as `bert`. */
  readonly modelType: string
  readonly config: JsonObject
  /** The float tensors under the names of the file, as float32; whatever `keep` refuses is not read. */
  tensors(keep?: (name: string) => boolean): Promise<Checkpoint>
  tokenizer(): Promise<HuggingFaceTokenizer>
}

/**
 * Opens a checkpoint folder: reads its config.json; tensors and tokenizer are read when they are asked for.
 *
 * @throws FedsvdError CHECKPOINT_INVALID where there is no config.json with a model_type
 */
export async function openCheckpoint(folder: string, options?: TokenizerOptions): Promise<CheckpointFolder> {
  const path = join(folder, 'config.json')
  if (!existsSync(path) && existsSync(join(folder, 'adapter_config.json'))) throw onlyAdapter(folder)
  const config = jsonObject((await readBytes(path, 'Name the folder of a checkpoint.')).toString('utf8'), path)
  const { model_type: modelType } = config
  if (typeof modelType !== 'string') {
    throw new FedsvdError('CHECKPOINT_INVALID', {
      expected: `a model_type in ${path}`,
      got: JSON.stringify(modelType) ?? 'no model_type',
      remedy: 'Use a checkpoint that was saved by Hugging Face Transformers.',
    })
  }
  return {
    folder,
    modelType,
    config,
    tensors: (keep) => readTensors(folder, keep),
    tokenizer: () => loadHuggingFaceTokenizer(folder, options),
  }
}

function onlyAdapter(folder: string): FedsvdError {
  return new FedsvdError('CHECKPOINT_INVALID', {
    expected: `a checkpoint in ${folder}`,
    got: 'an adapter of PEFT (adapter_config.json)',
    remedy: 'Name the model that it was made for, or merge it first: model.merge_and_unload().save_pretrained(folder).',
  })
}
