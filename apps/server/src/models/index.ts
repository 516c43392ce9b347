import { baseModels } from '@fedsvd/engine/extensions'
import type { ModelSettings } from '@fedsvd/engine/models'
import { registerStarter } from '@fedsvd/starter/register'
import { checkpointModels } from './checkpoint.ts'
import { type ModelRegistry, registryOf } from './registry.ts'

export { type HeadRequest, type Model, type ModelRegistry, registryOf } from './registry.ts'

// Before any extension is loaded: none takes its name.
registerStarter()

/** The models that this coordinator can adapt: what comes with it or with an extension, and its checkpoints. */
export function modelsOf(settings: ModelSettings): ModelRegistry {
  return registryOf(baseModels.all, checkpointModels(settings))
}
