import { type Model, type ModelRegistry, registryOf } from './registry.ts'
import { starterModel } from './starter.ts'

export { type AdapterRequest, type Model, type ModelRegistry, registryOf } from './registry.ts'

const MODELS: readonly Model[] = [starterModel]

/** The models that this release can adapt. */
export const modelNamed: ModelRegistry = registryOf(MODELS)
