import { FedsvdError } from '@fedsvd/core/errors'
import { type AdapterSchema, canonicalSchema, DEFAULT_TASK, type Task } from '@fedsvd/core/lora'
import type { ModelReference, ModelStore } from '../models/index.ts'
import type { RuntimeSettings } from '../settings/index.ts'
import { loadStarterTokenizer, type Tokenizer } from '../tokenizers/index.ts'
import { createCheckpointEngine } from './checkpoint-engine.ts'
import { proveCheckpoint } from './prove-checkpoint.ts'
import { createStarterEngine, PROJECTIONS, starterSchema } from './starter.ts'
import type { TaskEngine, TrainingEngine } from './training-engine.ts'

/** The model that comes with fedsvd; every other name is that of a checkpoint. */
export const STARTER = 'starter'

/** What a run says about its model. */
export interface ModelRequest {
  /** Absent: sequence classification. */
  readonly task?: Task | undefined
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
  { task, model, labels, adapter }: ModelRequest,
  runtime: RuntimeSettings,
  models: ModelStore,
): Promise<TaskEngine> {
  const { maxTokens, featureScale } = model
  const classes = labels.length
  if (model.name === STARTER) return await starterEngineFor({ task, model, labels, adapter }, runtime)
  return await createCheckpointEngine(await models.open(model), {
    ...runtime,
    task,
    schema: adapter,
    classes,
    maxTokens,
    featureScale,
  })
}

/** Runs a made-up record through the model of a run, so that what cannot be trained is found before it costs anything. */
export async function proveModel(model: ModelReference, models: ModelStore): Promise<void> {
  if (model.name !== STARTER) await proveCheckpoint(await models.open(model))
}

/** The tokenizer of a run's model. @throws FedsvdError as {@link engineFor} */
export async function tokenizerFor(model: ModelReference, models: ModelStore): Promise<Tokenizer> {
  if (model.name === STARTER) return await loadStarterTokenizer()
  return await (await models.open(model)).tokenizer()
}

/** {@link engineFor} for the starter model, which needs no model folder. */
export async function starterEngineFor(
  { task, model, labels, adapter }: ModelRequest,
  runtime: RuntimeSettings,
): Promise<TrainingEngine> {
  requireStarterTask(task)
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

/** The starter model makes one vector of a text. @throws FedsvdError CONFIG_INVALID for any other task */
export function requireStarterTask(task: Task = DEFAULT_TASK): void {
  if (task === 'sequence-classification') return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `sequence-classification as the task of the model ${STARTER}`,
    got: task,
    remedy: 'Name a checkpoint: an encoder for token-classification, a decoder for any task.',
  })
}
