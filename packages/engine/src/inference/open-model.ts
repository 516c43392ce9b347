import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { isThere } from '../files/index.ts'
import { openAdapterFolder } from './adapter-folder.ts'
import { openMergedFolder } from './merged-folder.ts'
import type { ModelInUse } from './model-in-use.ts'
import { onnxFileIn, openOnnxFolder } from './onnx-folder.ts'
import type { OpeningTerms } from './open-state.ts'

/**
 * Opens an exported folder: an adapter of PEFT whose base model is on this machine, a merged checkpoint, or an ONNX
 * file with its tokenizer. Checkpoints and adapters of others are read too, where they say what they are.
 *
 * @throws FedsvdError CHECKPOINT_INVALID for a folder that is none of these, or whose parts do not fit each other,
 *   CONFIG_INVALID, RUNTIME_UNAVAILABLE
 */
export async function openModel(folder: string, terms: OpeningTerms): Promise<ModelInUse> {
  if (await isThere(join(folder, 'adapter_config.json'))) return await openAdapterFolder(folder, terms)
  const onnx = await onnxFileIn(folder)
  if (onnx !== undefined) return await openOnnxFolder(folder, onnx, terms.runtime)
  if (await isThere(join(folder, 'config.json'))) return await openMergedFolder(folder, terms.runtime)
  throw new FedsvdError('CHECKPOINT_INVALID', {
    expected: `an exported model in ${folder}: adapter_config.json, onnx/model.onnx, or config.json with model.safetensors`,
    got: (await isThere(folder)) ? 'a folder without any of them' : 'no such folder',
    remedy: 'Name the folder that `fedsvd export` wrote.',
  })
}
