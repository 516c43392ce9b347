import { type AdapterSchema, canonicalSchema } from '@fedsvd/core/adapters'
import { FedsvdError } from '@fedsvd/core/errors'
import type { RuntimeSettings } from '../settings/index.ts'
import { createStarterEngine, PROJECTIONS, starterSchema } from './starter.ts'
import type { TrainingEngine } from './training-engine.ts'

const STARTER = 'starter'

/** What a run says about its model. */
export interface ModelRequest {
  readonly model: { readonly name: string; readonly maxTokens: number; readonly featureScale?: number | undefined }
  readonly labels: readonly string[]
  readonly adapter: AdapterSchema
}

/**
 * The engine for the model and the adapters of a run.
 *
 * @throws FedsvdError CHECKPOINT_INVALID for a model that is not installed, ADAPTER_INVALID for adapters it does not have,
 *   RUNTIME_UNAVAILABLE
 */
export async function engineFor(
  { model, labels, adapter }: ModelRequest,
  runtime: RuntimeSettings,
): Promise<TrainingEngine> {
  requireKnown(model.name)
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

/** @throws FedsvdError CHECKPOINT_INVALID */
function requireKnown(name: string): void {
  if (name === STARTER) return
  throw new FedsvdError('CHECKPOINT_INVALID', {
    expected: `the model "${STARTER}"`,
    got: `"${name}"`,
    remedy: 'Name a model that is installed on both sides',
  })
}
