import { FedsvdError } from '@fedsvd/core/errors'
import type { JsonObject } from '../files/index.ts'
import { type BaseModel, baseModels, type PortableModel } from '../training/index.ts'

/** The base model that is code and that config.json names as the one the folder was exported from. */
export function ownModelOf(config: JsonObject): BaseModel | undefined {
  const { baseModel } = (config.fedsvd ?? {}) as JsonObject
  return typeof baseModel === 'string' ? baseModels.find(baseModel) : undefined
}

/** @throws FedsvdError CHECKPOINT_INVALID where this process does not know the model, or not its weights */
export function requirePortable(config: JsonObject, folder: string): BaseModel & { readonly portable: PortableModel } {
  const found = ownModelOf(config)
  if (found?.portable !== undefined) return found as BaseModel & { readonly portable: PortableModel }
  throw new FedsvdError('CHECKPOINT_INVALID', {
    expected: `a model that this process knows in ${folder}: ${baseModels.all.map(({ name }) => name).join(', ')}`,
    got: JSON.stringify(config.fedsvd)?.slice(0, 200) ?? 'no name',
    remedy: 'Use the release, and load the extension, that the model came from.',
  })
}
