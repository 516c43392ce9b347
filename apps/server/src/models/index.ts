import type { ModelSettings } from '@fedsvd/engine/models'
import { checkpointModels } from './checkpoint.ts'
import { type Model, type ModelRegistry, registryOf } from './registry.ts'
import { starterModel } from './starter.ts'

export { type AdapterRequest, type HeadRequest, type Model, type ModelRegistry, registryOf } from './registry.ts'

const MODELS: readonly Model[] = [starterModel]

/** The models that this release can adapt: what comes with it, and the checkpoints of this coordinator. */
export function modelsOf(settings: ModelSettings): ModelRegistry {
  return registryOf(MODELS, checkpointModels(settings))
}
