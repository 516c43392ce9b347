import { type AdapterSchema, canonicalSchema } from '@fedsvd/core/adapters'
import { FedsvdError } from '@fedsvd/core/errors'
import type { ModelReference, ModelStore } from '../models/index.ts'
import type { RuntimeSettings } from '../settings/index.ts'
import { loadStarterTokenizer, type Tokenizer } from '../tokenizer/index.ts'
import { createCheckpointEngine } from './checkpoint-engine.ts'
import { createStarterEngine, PROJECTIONS, starterSchema } from './starter.ts'
import type { TrainingEngine } from './training-engine.ts'

/** The model that comes with fedsvd; every other name is that of a checkpoint. */
export const STARTER = 'starter'

/** What a run says about its model. */
export interface ModelRequest {
  readonly model: ModelReference & { readonly maxTokens: number; readonly featureScale?: number | undefined }
  readonly labels: readonly string[]
  readonly adapter: AdapterSchema
}

/**
 * The engine for the model and the adapters of a run.
 *
 * @throws FedsvdError CHECKPOINT_INVALID for a model that is not here or not what the run was made with, ADAPTER_INVALID for
 *   adapters it does not have, RUNTIME_UNAVAILABLE, HUB_UNAVAILABLE
 */
export async function engineFor(
  { model, labels, adapter }: ModelRequest,
  runtime: RuntimeSettings,
  models: ModelStore,
): Promise<TrainingEngine> {
  const { maxTokens, featureScale } = model
  const classes = labels.length
  if (model.name === STARTER) return await starterEngineFor({ model, labels, adapter }, runtime)
  return await createCheckpointEngine(await models.open(model), {
    ...runtime,
    schema: adapter,
    classes,
    maxTokens,
    featureScale,
  })
}

/** The tokenizer of a run's model. @throws FedsvdError as {@link engineFor} */
export async function tokenizerFor(model: ModelReference, models: ModelStore): Promise<Tokenizer> {
  if (model.name === STARTER) return await loadStarterTokenizer()
  return await (await models.open(model)).tokenizer()
}

/** {@link engineFor} for the starter model, which needs no model folder. */
export async function starterEngineFor(
  { model, labels, adapter }: ModelRequest,
  runtime: RuntimeSettings,
): Promise<TrainingEngine> {
  const { rank, alpha, headMode } = adapter
  const targets = PROJECTIONS.filter((target) => adapter.layers.some(({ name }) => name.endsWith(`.${target}`)))
  const options = { rank, alpha, headMode, classes: labels.length, targets }
  if (canonicalSchema(starterSchema(options)) !== canonicalSchema(adapter)) {
    throw new FedsvdError('ADAPTER_INVALID', {
      expected: `adapters of ${model.name} on ${PROJECTIONS.join(', ')}`,
      got: 'a schema with other layers or sizes',
      remedy: 'Let the coordinator make the schema from the model',
    })
  }
  const { maxTokens, featureScale } = model
  return createStarterEngine({ ...options, ...runtime, maxTokens, ...(featureScale !== undefined && { featureScale }) })
}
