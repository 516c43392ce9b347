import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import type { CheckpointIdentity } from '@fedsvd/core/protocol'
import { type JsonObject, jsonObject, readBytes, readIfThere } from '../../files/index.ts'
import { SPECIAL_TOKENS_MAP, specialTokensBeside } from '../../tokenizers/index.ts'
import { forEachTensor } from './tensor-files.ts'

const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json']

/**
 * What a checkpoint folder holds, as hashes: the same on every machine and in every folder, however the tensors are
 * spread over files. Reads every byte of the tensors.
 *
 * @throws FedsvdError CHECKPOINT_INVALID where a file is missing or damaged
 */
export async function identityOf(folder: string): Promise<CheckpointIdentity> {
  return {
    config: await configHash(folder),
    tensors: await tensorsHash(folder),
    tokenizer: await tokenizerHash(folder),
  }
}

/** SHA-256 of `config.json`, byte for byte. */
export async function configHash(folder: string): Promise<string> {
  return sha256(await readBytes(join(folder, 'config.json'), 'Name the folder of a checkpoint.'))
}

/** SHA-256 of the tokenizer's files, each behind its name and length; one that is absent counts as such. */
export async function tokenizerHash(folder: string): Promise<string> {
  const hash = createHash('sha256')
  for (const name of TOKENIZER_FILES) {
    const bytes = await readIfThere(join(folder, name))
    hash.update(`${name} ${bytes?.length ?? 'absent'}\n`)
    if (bytes !== undefined) hash.update(bytes)
  }
  // Most folders have the map, as a copy that decides nothing: only what comes from it alone is part of the identity.
  const beside = await specialTokensBeside(folder, await tokenizerConfig(folder))
  if (Object.keys(beside).length > 0) hash.update(`${SPECIAL_TOKENS_MAP}\n${JSON.stringify(beside)}`)
  return hash.digest('hex')
}

/** Whatever stands there: that it is no configuration is told where the tokenizer is read. */
async function tokenizerConfig(folder: string): Promise<JsonObject> {
  const path = join(folder, 'tokenizer_config.json')
  try {
    return jsonObject(await readFile(path, 'utf8'), path)
  } catch {
    return {}
  }
}

/** SHA-256 of the list of all tensors, sorted by name: name, dtype, shape and the SHA-256 of the bytes. */
async function tensorsHash(folder: string): Promise<string> {
  const lines: string[] = []
  await forEachTensor(folder, async (entry, file) => {
    const { name, dtype, shape } = entry
    lines.push(JSON.stringify([name, dtype, shape, sha256(await file.bytesOf(entry))]))
  })
  return sha256(Buffer.from(lines.sort().join('\n')))
}

/** @throws FedsvdError CHECKPOINT_INVALID naming the part in which the two differ */
export function requireSame(model: string, expected: CheckpointIdentity, found: CheckpointIdentity): void {
  for (const part of ['config', 'tensors', 'tokenizer'] as const) {
    if (found[part] === expected[part]) continue
    throw new FedsvdError('CHECKPOINT_INVALID', {
      expected: `the ${part} of "${model}" with SHA-256 ${expected[part]}`,
      got: found[part],
      remedy: 'This machine has another checkpoint under that name: replace it by the one that the run was made with.',
    })
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
