import { readdir, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import type { CheckpointIdentity } from '@fedsvd/core/protocol'
import { isThere } from '../files/index.ts'
import {
  type CheckpointFolder,
  configHash,
  hasTensors,
  identityOf,
  openCheckpoint,
  requireSame,
} from '../weights/huggingface/index.ts'
import type { HubSettings } from './hub.ts'
import { isModelName, parseModelName } from './model-name.ts'

/** Where this machine has its checkpoints. */
export interface ModelSettings {
  /** Folder of checkpoints: `<models>/<name>/config.json`. Downloads go there too. */
  readonly models: string
  /** Where to fetch what is not there; absent: nowhere. */
  readonly hub?: HubSettings | undefined
  /** Texts that nobody outside may learn of are read apart from this process, which one of them could end. */
  readonly readsTextsApart?: boolean
}

/** Which checkpoint a run is made with: its name, and what it must hold. */
export interface ModelReference {
  readonly name: string
  readonly checkpoint?: CheckpointIdentity | undefined
}

/** A checkpoint of this machine, with what it holds. */
export interface StoredModel extends CheckpointFolder {
  /** The name for manifests: of a hub's checkpoint with its commit. */
  readonly name: string
  /** False where config.json stands alone: enough to open a run, not to compute. */
  readonly isComplete: boolean
  /** @throws FedsvdError CHECKPOINT_INVALID where the checkpoint is not complete */
  identity(): Promise<CheckpointIdentity>
}

export interface ModelStore {
  /** Names of what lies in the model folder, whether or not it can be used; none where there is no such folder. */
  names(): Promise<readonly string[]>
  /**
   * The checkpoint of that name. With `checkpoint` in the reference, any other content is refused.
   *
   * @param needs `all` (default), or `config` where the schema of a run is all that is wanted
   * @throws FedsvdError CHECKPOINT_INVALID where it is absent, incomplete or another one, CONFIG_INVALID for a bad
   *   name, HUB_UNAVAILABLE
   */
  open(reference: ModelReference, needs?: 'all' | 'config'): Promise<StoredModel>
}

/** Checkpoints in a folder of this machine, and on a hub where one is set. */
export function modelStore({ models, hub, readsTextsApart: isApart }: ModelSettings): ModelStore {
  const known = new Map<string, Promise<CheckpointIdentity>>()

  /** The identity of a folder, computed once as long as its files stay as they are. */
  const identity = async (folder: string): Promise<CheckpointIdentity> => {
    const key = await stateOf(folder)
    const found = known.get(key) ?? identityOf(folder)
    known.set(key, found)
    found.catch(() => known.delete(key))
    return await found
  }

  const openFolder = async (name: string, folder: string): Promise<StoredModel> => ({
    ...(await openCheckpoint(folder, { isApart })),
    name,
    isComplete: (await hasTensors(folder)) && (await isThere(join(folder, 'tokenizer.json'))),
    identity: () => identity(folder),
  })

  return {
    names: () => namesIn(models),
    open: async ({ name, checkpoint }, needs = 'all') => {
      const { repository, revision } = parseModelName(name)
      const here = revision === undefined ? [repository] : [name, repository]
      let refusal: unknown
      for (const candidate of here) {
        const folder = join(models, candidate)
        if (!(await isThere(join(folder, 'config.json')))) continue
        try {
          const model = await openFolder(name, folder)
          await requireContent(model, checkpoint, needs)
          return model
        } catch (error) {
          refusal ??= error
        }
      }
      if (refusal !== undefined && (hub === undefined || checkpoint === undefined)) throw refusal
      if (hub === undefined) throw absent(name, models, 'with FEDSVD_HUB set it would be fetched')
      const { fetchCheckpoint } = await import('./hub.ts')
      const fetched = await fetchCheckpoint(name, models, hub)
      const model = await openFolder(fetched.name, fetched.folder)
      await requireContent(model, checkpoint, needs)
      return model
    },
  }
}

/** As deep as a name is. */
const MOST_DEEP = 2

/** Folders with a config.json. */
async function namesIn(models: string, folder = models, depth = MOST_DEEP): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || depth < MOST_DEEP) return [] // a folder inside is nobody's business but its own
    throw error
  })
  const inner = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
  const found = await Promise.all(
    inner.map(async ({ name }) => {
      const place = join(folder, name)
      if (await isThere(join(place, 'config.json')).catch(() => true))
        return [relative(models, place).split(sep).join('/')]
      return depth > 1 ? await namesIn(models, place, depth - 1) : []
    }),
  )
  return found.flat().filter(isModelName).sort()
}

/** @throws FedsvdError CHECKPOINT_INVALID where the model is not what it must be */
async function requireContent(
  model: StoredModel,
  expected: CheckpointIdentity | undefined,
  needs: 'all' | 'config',
): Promise<void> {
  if (!model.isComplete && needs === 'all') {
    throw await incomplete(model.folder)
  }
  if (expected === undefined) return
  const found = model.isComplete ? await model.identity() : { ...expected, config: await configHash(model.folder) }
  requireSame(model.name, expected, found)
}

/** The refusal of a folder that lacks its tensors, its tokenizer or both. */
async function incomplete(folder: string): Promise<FedsvdError> {
  const files = (await readdir(folder)).sort()
  const pickled = files.filter((name) => /\.(bin|pt|pth|ckpt|h5|msgpack)$/.test(name))
  if (!(await hasTensors(folder))) {
    return new FedsvdError('CHECKPOINT_INVALID', {
      expected: `model.safetensors, or its shards and their index, in ${folder}`,
      got: files.join(', '),
      remedy:
        pickled.length > 0
          ? `Load ${pickled[0]} in Transformers and save it with save_pretrained, which writes safetensors.`
          : 'Copy the whole checkpoint.',
    })
  }
  const slow = files.filter((name) => /^(vocab\.(txt|json)|merges\.txt|.*\.model|spiece.*)$/.test(name))
  return new FedsvdError('CHECKPOINT_INVALID', {
    expected: `tokenizer.json in ${folder}`,
    got: slow.length > 0 ? `only ${slow.join(', ')}` : files.join(', '),
    remedy: 'Make it once: AutoTokenizer.from_pretrained(folder, use_fast=True).save_pretrained(folder) in Python.',
  })
}

/** Changes when a file of the folder does. */
async function stateOf(folder: string): Promise<string> {
  const names = (await readdir(folder)).sort()
  const files = await Promise.all(
    names.map(async (name) => {
      const { size, mtimeMs, ino } = await stat(join(folder, name))
      return [name, size, mtimeMs, ino]
    }),
  )
  return JSON.stringify([folder, files])
}

function absent(name: string, models: string, hint: string): FedsvdError {
  return new FedsvdError('CHECKPOINT_INVALID', {
    expected: `a checkpoint named "${name}" below ${models}`,
    got: 'no such folder',
    remedy: `Put its folder there (config.json, safetensors, tokenizer.json); ${hint}.`,
  })
}
