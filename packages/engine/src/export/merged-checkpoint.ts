import { join } from 'node:path'
import {
  DECODER_TYPES,
  decoderConfig,
  decoderTensorName,
  encoderConfig,
  encoderTensorName,
  storesInputsFirst,
} from '@fedsvd/core/models'
import type { NamedTensor, TensorSpec } from '@fedsvd/core/tensor'
import { type CheckpointFolder, forEachTensor } from '../weights/huggingface/index.ts'
import { withoutFeatureScale } from '../weights/peft/index.ts'
import { isFloat, writeSafetensors } from '../weights/safetensors/index.ts'
import { startExport } from './export-folder.ts'
import { factorsByWeight, mergedWeight } from './merged-weight.ts'
import type { TrainedState } from './trained-state.ts'

/**
 * Writes a whole checkpoint with the adapters merged into its weights (`W0 + scale * B A`) and the trained head: a
 * folder that needs nothing of fedsvd and loads as any other, here and in Hugging Face's library. Heads of pre-training
 * are left out. One tensor is in memory at a time.
 *
 * @returns the files written
 * @throws FedsvdError CHECKPOINT_INVALID where the checkpoint cannot be read
 */
export async function exportMerged(
  folder: string,
  checkpoint: CheckpointFolder,
  trained: TrainedState,
): Promise<string[]> {
  const files = await startExport(folder, checkpoint, trained)
  const factors = factorsByWeight(trained.schema, trained.state)
  const { head } = withoutFeatureScale(trained.state, trained)
  const nameOf = namesOf(checkpoint)
  const specs = await baseSpecs(checkpoint.folder, nameOf)
  const base = baseReader(checkpoint, nameOf)
  const path = join(folder, 'model.safetensors')
  const heads = new Map(head.map((tensor) => [tensor.name, tensor.data]))
  await writeSafetensors(
    path,
    [...specs, ...head.map(({ name, shape }) => ({ name, shape }))],
    async ({ name }) => {
      const ofHead = heads.get(name)
      if (ofHead !== undefined) return ofHead
      const { data } = await base(name)
      const lora = factors.get(name)
      return lora === undefined ? data : mergedWeight(data, lora, storesInputsFirst(name.replace(/\.weight$/, '')))
    },
    trained.metadata,
  )
  return [path, ...files]
}

/** The model's names for the tensors of the files; undefined for what it does not read. */
function namesOf({ config: fields, modelType }: CheckpointFolder): (name: string) => string | undefined {
  if ((DECODER_TYPES as readonly string[]).includes(modelType)) {
    const config = decoderConfig(fields)
    return (name) => decoderTensorName(config, name)
  }
  const config = encoderConfig(fields)
  return (name) => {
    const own = encoderTensorName(config, name)
    return own.startsWith(`${config.family}.`) ? own : undefined
  }
}

/** Names (as the model has them) and shapes of the base's tensors, in the order of the files. */
async function baseSpecs(folder: string, nameOf: (name: string) => string | undefined): Promise<readonly TensorSpec[]> {
  const specs: TensorSpec[] = []
  await forEachTensor(folder, async (entry) => {
    const name = nameOf(entry.name)
    if (name !== undefined && isFloat(entry)) specs.push({ name, shape: entry.shape })
  })
  return specs
}

/** Reads one tensor of the base by the model's name for it. */
function baseReader(
  checkpoint: CheckpointFolder,
  nameOf: (name: string) => string | undefined,
): (name: string) => Promise<NamedTensor> {
  return async (name) => {
    const found = await checkpoint.tensors((stored) => nameOf(stored) === name)
    return [...found.values()][0]!
  }
}
