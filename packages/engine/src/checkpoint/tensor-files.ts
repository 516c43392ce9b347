import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import type { NamedTensor } from '@fedsvd/core/tensor'
import { jsonObject, readBytes } from '../files/index.ts'
import { isFloat, openSafetensors, type SafetensorsEntry, type SafetensorsFile } from '../safetensors/index.ts'

const SINGLE = 'model.safetensors'
const INDEX = 'model.safetensors.index.json'
const REMEDY = 'Use a checkpoint that was saved as safetensors; files of pickled tensors (.bin) are not read.'

/** Calls `visit` for every tensor of a checkpoint folder, with the open file that holds it. */
type Visit = (entry: SafetensorsEntry, file: SafetensorsFile) => Promise<void>

/**
 * Visits the tensors of `model.safetensors`, or of the shards that `model.safetensors.index.json` names.
 *
 * @throws FedsvdError CHECKPOINT_INVALID where a file is missing or damaged, or a tensor is in two shards
 */
export async function forEachTensor(folder: string, visit: Visit): Promise<void> {
  const seen = new Set<string>()
  for (const name of await tensorFiles(folder)) {
    await using file = await openSafetensors(join(folder, name))
    for (const entry of file.entries) {
      if (seen.has(entry.name)) throw invalid(`the tensor ${entry.name} once`, 'it is in two files')
      seen.add(entry.name)
      await visit(entry, file)
    }
  }
}

/**
 * The float tensors of a checkpoint folder as float32; whatever `keep` refuses is not read.
 *
 * @throws FedsvdError CHECKPOINT_INVALID also for a tensor that holds NaN or infinity: nothing can be trained on it
 */
export async function readTensors(
  folder: string,
  keep: (name: string) => boolean = () => true,
): Promise<Map<string, NamedTensor>> {
  const tensors = new Map<string, NamedTensor>()
  await forEachTensor(folder, async (entry, file) => {
    const wrapper = /^(module|_orig_mod)\./.exec(entry.name)?.[1]
    if (wrapper !== undefined) throw wrapped(entry.name, wrapper)
    if (!isFloat(entry) || !keep(entry.name)) return
    const tensor = await file.read(entry)
    if (!tensor.data.every(Number.isFinite)) throw notFinite(entry.name)
    tensors.set(entry.name, tensor)
  })
  return tensors
}

/** The folder's tensor files by name: one, or the shards of an index. @throws FedsvdError CHECKPOINT_INVALID */
export async function tensorFiles(folder: string): Promise<readonly string[]> {
  if (await exists(join(folder, SINGLE))) return [SINGLE]
  const path = join(folder, INDEX)
  if (!(await exists(path))) throw invalid(`${SINGLE} or ${INDEX} in ${folder}`, 'neither')
  const { weight_map: map } = jsonObject((await readBytes(path, REMEDY)).toString('utf8'), path)
  const shards = [...new Set(Object.values((map ?? {}) as Record<string, unknown>))].map(String).sort()
  const outside = shards.find((shard) => !/^[\w.-]+\.safetensors$/.test(shard))
  if (shards.length === 0 || outside !== undefined) {
    throw invalid(`a weight_map of safetensors files in ${path}`, outside ?? 'none')
  }
  return shards
}

/** Whether the folder has tensors at all. */
export async function hasTensors(folder: string): Promise<boolean> {
  return (await exists(join(folder, SINGLE))) || (await exists(join(folder, INDEX)))
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}

/** Names of a model that was saved from inside torch's DataParallel or torch.compile. */
function wrapped(name: string, wrapper: string): FedsvdError {
  return new FedsvdError('CHECKPOINT_INVALID', {
    expected: 'tensors under the names that the model itself has',
    got: `"${name}", of a model inside a wrapper`,
    remedy: `Save the model inside: model.${wrapper}.save_pretrained(folder).`,
  })
}

function notFinite(name: string): FedsvdError {
  return new FedsvdError('CHECKPOINT_INVALID', {
    expected: `finite values in the tensor ${name}`,
    got: 'NaN or infinity',
    remedy: 'The checkpoint diverged or was damaged when it was saved: use another one.',
  })
}

function invalid(expected: string, got: string): FedsvdError {
  return new FedsvdError('CHECKPOINT_INVALID', { expected, got, remedy: REMEDY })
}
