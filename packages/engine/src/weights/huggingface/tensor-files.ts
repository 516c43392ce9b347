import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import type { NamedTensor } from '@fedsvd/core/tensor'
import { isThere, jsonObject, readBytes } from '../../files/index.ts'
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
  const { files, weightMap } = await listed(folder)
  for (const name of files) {
    await using file = await openSafetensors(join(folder, name))
    for (const entry of file.entries) {
      if (seen.has(entry.name)) throw invalid(`the tensor ${entry.name} once`, 'it is in two files')
      seen.add(entry.name)
      const place = weightMap?.[entry.name]
      if (place !== undefined && place !== name) throw misplaced(entry.name, place, `it is in ${name}`)
      await visit(entry, file)
    }
  }
  const missing = Object.keys(weightMap ?? {}).find((name) => !seen.has(name))
  if (missing !== undefined) throw misplaced(missing, weightMap![missing], 'no such tensor')
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
    requireOwnName(entry.name)
    if (!isFloat(entry)) return requireNoWeight(entry)
    if (!keep(entry.name)) return
    const tensor = await file.read(entry)
    if (!tensor.data.every(Number.isFinite)) throw notFinite(entry.name)
    tensors.set(entry.name, tensor)
  })
  return tensors
}

/** The folder's tensor files by name: one, or the shards of an index. @throws FedsvdError CHECKPOINT_INVALID */
export async function tensorFiles(folder: string): Promise<readonly string[]> {
  return (await listed(folder)).files
}

interface TensorFiles {
  readonly files: readonly string[]
  /** Which file each tensor is in, where an index says so. */
  readonly weightMap?: Readonly<Record<string, unknown>>
}

async function listed(folder: string): Promise<TensorFiles> {
  if (await isThere(join(folder, SINGLE))) return { files: [SINGLE] }
  const path = join(folder, INDEX)
  if (!(await isThere(path))) throw invalid(`${SINGLE} or ${INDEX} in ${folder}`, 'neither')
  const { weight_map: map } = jsonObject((await readBytes(path, REMEDY)).toString('utf8'), path)
  const shards = [...new Set(Object.values((map ?? {}) as Record<string, unknown>))].map(String).sort()
  const outside = shards.find((shard) => !/^[\w.-]+\.safetensors$/.test(shard))
  if (shards.length === 0 || outside !== undefined) {
    throw invalid(`a weight_map of safetensors files in ${path}`, outside ?? 'none')
  }
  return { files: shards, weightMap: map as Record<string, unknown> }
}

/** Whether the folder has tensors at all. */
export async function hasTensors(folder: string): Promise<boolean> {
  return (await isThere(join(folder, SINGLE))) || (await isThere(join(folder, INDEX)))
}

/** What adds a prefix to the names of a model that was saved from inside it: DataParallel, torch.compile, PEFT. */
const WRAPPERS: readonly (readonly [RegExp, string])[] = [
  [/^module\./, 'Save the model inside: model.module.save_pretrained(folder).'],
  [/^_orig_mod\./, 'Save the model inside: model._orig_mod.save_pretrained(folder).'],
  [/^base_model\.model\./, 'Merge the adapter of PEFT first: model.merge_and_unload().save_pretrained(folder).'],
]

function requireOwnName(name: string): void {
  const [, remedy] = WRAPPERS.find(([prefix]) => prefix.test(name)) ?? []
  if (remedy === undefined) return
  throw new FedsvdError('CHECKPOINT_INVALID', {
    expected: 'tensors under the names that the model itself has',
    got: `"${name}", of a model inside a wrapper`,
    remedy,
  })
}

/** How GPTQ, AWQ and bitsandbytes call what they make of a weight. */
const QUANTISED = /\.(qweight|qzeros|g_idx|SCB|quant_map|absmax|quant_state\.\w+)$/

/**
 * Integers are position ids and the like; integers in place of a weight are a quantised one, whatever config.json says.
 */
function requireNoWeight({ name, dtype, shape }: SafetensorsEntry): void {
  if (!QUANTISED.test(name) && !(name.endsWith('.weight') && shape.length > 0)) return
  throw new FedsvdError('CHECKPOINT_INVALID', {
    expected: 'weights that are not quantised',
    got: `the tensor ${name} of type ${dtype}`,
    remedy: 'Use the checkpoint in float32, float16 or bfloat16 that this one was made from.',
  })
}

function notFinite(name: string): FedsvdError {
  return new FedsvdError('CHECKPOINT_INVALID', {
    expected: `finite values in the tensor ${name}`,
    got: 'NaN or infinity',
    remedy: 'The checkpoint diverged or was damaged when it was saved: use another one.',
  })
}

function misplaced(tensor: string, file: unknown, got: string): FedsvdError {
  return invalid(`the tensor ${tensor} in ${String(file)}, as ${INDEX} says`, got)
}

function invalid(expected: string, got: string): FedsvdError {
  return new FedsvdError('CHECKPOINT_INVALID', { expected, got, remedy: REMEDY })
}
