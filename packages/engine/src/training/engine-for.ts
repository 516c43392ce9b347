import { FedsvdError } from '@fedsvd/core/errors'
import { type AdapterSchema, canonicalSchema } from '@fedsvd/core/lora'
import type { ModelReference, ModelStore } from '../models/index.ts'
import type { RuntimeSettings } from '../settings/index.ts'
import type { Tokenizer } from '../tokenizers/index.ts'
import type { AdapterRequest, BaseModel } from './base-model.ts'
import { baseModels } from './base-models.ts'
import { checkpointSchema, createCheckpointEngine } from './checkpoint-engine.ts'
import type { ModelRequest } from './model-request.ts'
import { proveCheckpoint } from './prove-checkpoint.ts'
import type { TaskEngine } from './training-engine.ts'

/**
 * The engine for the model and the adapters of a run.
 *
 * @throws FedsvdError CHECKPOINT_INVALID for a model that is not here or not what the run was made with,
 *   ADAPTER_INVALID for adapters it does not have, RUNTIME_UNAVAILABLE, HUB_UNAVAILABLE
 */
export async function engineFor(
  { task, model, labels, adapter }: ModelRequest,
  runtime: RuntimeSettings,
  models: ModelStore,
): Promise<TaskEngine> {
  const { maxTokens, featureScale } = model
  const classes = labels.length
  const own = baseModels.find(model.name)
  if (own !== undefined) {
    await requireSchemaOf(own, { task, model, labels, adapter })
    return await own.createEngine({ task, model, labels, adapter }, runtime)
  }
  return await createCheckpointEngine(await models.open(model), {
    ...runtime,
    task,
    schema: adapter,
    classes,
    maxTokens,
    featureScale,
  })
}

/**
 * Runs a made-up record through the model of a run, so that what cannot be trained is found before it costs anything.
 */
export async function proveModel(
  { model, task }: Pick<ModelRequest, 'model' | 'task'>,
  models: ModelStore,
): Promise<void> {
  if (baseModels.find(model.name) === undefined) await proveCheckpoint(await models.open(model), task)
}

/** The schema of the adapters for a model, by its own terms. @throws FedsvdError as {@link engineFor} */
export async function schemaFor(
  { model, ...request }: AdapterRequest & { readonly model: ModelReference },
  models: ModelStore,
): Promise<AdapterSchema> {
  const own = baseModels.find(model.name)
  if (own !== undefined) return await own.adapterSchema(request)
  const { task, adapter, classes } = request
  const { config } = await models.open(model, 'config')
  return checkpointSchema(config, { task, classes, ...adapter })
}

/** The tokenizer of a run's model. @throws FedsvdError as {@link engineFor} */
export async function tokenizerFor(model: ModelReference, models: ModelStore): Promise<Tokenizer> {
  const own = baseModels.find(model.name)
  if (own !== undefined) return await own.loadTokenizer()
  return await (await models.open(model)).tokenizer()
}

/** @throws FedsvdError ADAPTER_INVALID for a schema that the model would not make of the same terms */
async function requireSchemaOf(own: BaseModel, { task, labels, adapter }: ModelRequest): Promise<void> {
  const { rank, alpha, headMode, layers } = adapter
  const targets = layers.map(({ name }) => name)
  const made = await own.adapterSchema({ task, adapter: { rank, alpha, headMode, targets }, classes: labels.length })
  if (canonicalSchema(made) === canonicalSchema(adapter)) return
  throw new FedsvdError('ADAPTER_INVALID', {
    expected: `adapters and a head of the sizes that the model ${own.name} has`,
    got: 'a schema with other layers or sizes',
    remedy: 'Let the coordinator make the schema from the model',
  })
}
