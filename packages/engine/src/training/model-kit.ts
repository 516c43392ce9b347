import { BATCH, ops, SEQUENCE } from '@fedsvd/core/autodiff'
import { FedsvdError } from '@fedsvd/core/errors'
import { type AdapterSchema, checkSchema, DEFAULT_TASK } from '@fedsvd/core/lora'
import {
  type ClassifierModel,
  headSpecs,
  type LinearLayer,
  linear,
  projection,
  targetedLayers,
} from '@fedsvd/core/models'
import { MANIFEST_DEFAULTS } from '@fedsvd/core/protocol'
import type { RuntimeSettings } from '../settings/index.ts'
import type { AdapterRequest } from './base-model.ts'
import { classifierEngine } from './classifier-engine.ts'
import { requireKnownAnswers } from './known-answers.ts'
import type { ModelRequest } from './model-request.ts'
import { selfTested } from './self-test.ts'
import type { TrainingEngine } from './training-engine.ts'

/** As many places cost about the same each on a CPU; more leave its cache. */
const MAX_PLACES = 256

/** An encoder as a graph, for classification: what is the model's own. */
export interface ClassifierParts {
  readonly name: string
  readonly maxTokens: number
  /** Ids of the tokenizer lie in [0, vocabularySize). */
  readonly vocabularySize: number
  /** The linear layers that may be adapted, in the order in which a token meets them. */
  readonly layers: readonly LinearLayer[]
  readonly featureWidth: number
  /**
   * Features [N, featureWidth] of token ids [N, T] (int32, negative after the last token). Records stay along the
   * leading axis of every value, and padding has no influence. `linear` and `projection` apply the adapters.
   */
  readonly encode: ClassifierModel['encode']
}

/** The schema of a run on such a model. @throws FedsvdError CONFIG_INVALID for another task, ADAPTER_INVALID */
export function classifierSchema(
  { name, layers, featureWidth }: Omit<ClassifierParts, 'encode'>,
  { task = DEFAULT_TASK, adapter, classes }: AdapterRequest,
): AdapterSchema {
  if (task !== DEFAULT_TASK) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `${DEFAULT_TASK} as the task of the model ${name}`,
      got: task,
      remedy: 'Name another model for this task.',
    })
  }
  const { rank, alpha, headMode, targets } = adapter
  const adapted = targets === undefined ? layers : targetedLayers(layers, targets)
  const schema = { rank, alpha, headMode, layers: adapted, head: headSpecs(featureWidth, classes) }
  checkSchema(schema)
  return schema
}

/** The engine of a run on such a model, with the self-test of every other engine. */
export async function createClassifierEngine(
  parts: ClassifierParts,
  { model: { maxTokens, featureScale = MANIFEST_DEFAULTS.featureScale }, labels, adapter: schema }: ModelRequest,
  runtime: RuntimeSettings,
): Promise<TrainingEngine> {
  const classes = labels.length
  const { rank, alpha, layers } = schema
  const { featureWidth, vocabularySize, encode } = parts
  const model: ClassifierModel = { layers, rank, scale: alpha / rank, featureWidth, featureScale, classes, encode }
  const limits = {
    maxTokens: Math.min(maxTokens, parts.maxTokens),
    positions: parts.maxTokens,
    vocabularySize,
    classes,
  }
  const maxTokensPerMicroBatch = Math.max(MAX_PLACES, parts.maxTokens)
  return await selfTested({ requireKnownAnswers, ...runtime }, { ...limits, answer: 'label' }, (createRunner) =>
    classifierEngine({ model, schema, limits, maxTokensPerMicroBatch, createRunner }),
  )
}

export { BATCH, linear, ops, projection, SEQUENCE }
