import type { AdapterSchema } from '@fedsvd/core/adapters'
import { FedsvdError } from '@fedsvd/core/errors'
import type { RunManifest, RunRequest } from '@fedsvd/core/protocol'
import type { RuntimeSettings } from '@fedsvd/engine/settings'
import type { Tokenizer } from '@fedsvd/engine/tokenizer'
import type { TrainingEngine } from '@fedsvd/engine/training'

export interface AdapterRequest {
  readonly adapter: RunRequest['adapter']
  readonly classes: number
}

/** A base model that runs can adapt. Only its name travels: every side has the same checkpoint. */
export interface Model {
  readonly name: string
  readonly maxTokens: number
  /** Which tensors a run on this model adapts. @throws FedsvdError ADAPTER_INVALID */
  adapterSchema(request: AdapterRequest): Promise<AdapterSchema>
  loadTokenizer(): Promise<Tokenizer>
  /** Computes with the model under the adapters of a run. */
  createEngine(manifest: RunManifest, runtime: RuntimeSettings): Promise<TrainingEngine>
}

/** @throws FedsvdError CONFIG_INVALID for a name that no model has */
export type ModelRegistry = (name: string) => Model

/** A registry of exactly these models. */
export function registryOf(models: readonly Model[]): ModelRegistry {
  return (name) => {
    const model = models.find((candidate) => candidate.name === name)
    if (model !== undefined) return model
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `a model named ${models.map((candidate) => candidate.name).join(' or ')}`,
      got: name,
      remedy: 'Set model.name in the run request.',
    })
  }
}
