import { FedsvdError } from '@fedsvd/core/errors'
import { Registry } from '@fedsvd/core/registry'
import type { BaseModel } from './base-model.ts'

/** The base models that this process knows without a checkpoint. */
export const baseModels = new Registry<BaseModel>('model', [])

/**
 * Adds a model, which run requests can name. @throws FedsvdError CONFIG_INVALID for a name that is taken, or no
 * maxTokens
 */
export function registerModel(model: BaseModel): void {
  const { name, maxTokens } = model
  if (!Number.isSafeInteger(maxTokens) || maxTokens < 1) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `a whole number of at least 1 as maxTokens of the model ${name}`,
      got: String(maxTokens),
      remedy: 'Correct it in the extension.',
    })
  }
  baseModels.register(model)
}
