import type { AdapterState } from '@fedsvd/core/lora'
import { resolveManifest } from '@fedsvd/core/protocol'
import type { ModelReference, ModelStore } from '../models/index.ts'
import type { RuntimeSettings } from '../settings/index.ts'
import { baseModels, engineFor, longestText, type ModelRequest, tokenizerFor } from '../training/index.ts'
import type { ModelInUse } from './model-in-use.ts'
import { placesFor } from './places.ts'
import { engineScorer } from './scorer.ts'

/** What a model is opened with. */
export interface OpeningTerms {
  /** Where base models of adapters are. */
  readonly models: ModelStore
  readonly runtime: RuntimeSettings
}

/** Opens a state of a run. @throws FedsvdError as `engineFor` */
export async function openState(
  request: ModelRequest,
  state: AdapterState,
  { models, runtime }: OpeningTerms,
): Promise<ModelInUse> {
  const { model, labels } = request
  const { task } = resolveManifest(request)
  const places = placesFor(task, model.maxTokens, await longestOf(model, models))
  const tokenizer = await tokenizerFor(model, models)
  const engine = await engineFor({ ...request, model: { ...model, maxTokens: places } }, runtime, models)
  const scorer = engineScorer(engine, state)
  return {
    name: model.name,
    task,
    labels,
    maxTokens: model.maxTokens,
    places,
    tokenizer,
    scorer,
    [Symbol.asyncDispose]: () => scorer[Symbol.asyncDispose](),
  }
}

async function longestOf(model: ModelReference, models: ModelStore): Promise<number> {
  return baseModels.find(model.name)?.maxTokens ?? longestText((await models.open(model, 'config')).config)
}
