import { FedsvdError } from '@fedsvd/core/errors'
import { canonicalSchema, DEFAULT_TASK, type Task } from '@fedsvd/core/lora'
import type { Checkpoint } from '@fedsvd/core/models'
import type { RuntimeSettings } from '@fedsvd/engine/settings'
import type { ModelRequest, TrainingEngine } from '@fedsvd/engine/training'
import { STARTER_ENCODER } from './encoder.ts'
import { createStarterEngine, PROJECTIONS, starterSchema } from './engine.ts'

/** The model that comes with fedsvd. */
export const STARTER = 'starter'

/**
 * The engine of a run on the starter model, with its own weights or with others of the same shapes.
 *
 * @throws FedsvdError ADAPTER_INVALID for a schema that is not its own
 */
export async function starterEngineFor(
  { task, model, labels, adapter }: ModelRequest,
  runtime: RuntimeSettings,
  checkpoint?: Checkpoint,
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
  return createStarterEngine({
    ...options,
    ...runtime,
    maxTokens,
    ...(featureScale !== undefined && { featureScale }),
    ...(checkpoint && { encoder: { config: STARTER_ENCODER, checkpoint } }),
  })
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
