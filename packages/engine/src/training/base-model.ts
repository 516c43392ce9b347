import type { AdapterSchema, Task } from '@fedsvd/core/lora'
import type { Checkpoint, ClassifierModel } from '@fedsvd/core/models'
import type { Named } from '@fedsvd/core/registry'
import type { JsonObject } from '../files/index.ts'
import type { RuntimeSettings } from '../settings/index.ts'
import type { Tokenizer } from '../tokenizers/index.ts'
import type { ModelRequest } from './model-request.ts'
import type { TaskEngine } from './training-engine.ts'

/** The public terms of a run's adapters, before there is a schema. */
export interface AdapterRequest {
  /** Absent: sequence classification. */
  readonly task?: Task | undefined
  readonly adapter: Pick<AdapterSchema, 'rank' | 'alpha' | 'headMode'> & {
    /** Suffixes of the adapted layers' names; absent: the model's default. */
    readonly targets?: readonly string[] | undefined
  }
  /** How many labels; 0 for tasks that predict tokens. */
  readonly classes: number
}

/**
 * A base model that is code on every side, and no checkpoint in a folder: `starter`, and those of extensions.
 * Coordinator and sites compute the same by having the same code: a model whose weights change gets another name.
 *
 * Register one with `registerModel`; `examples/custom-model` has a model in one file.
 */
export interface BaseModel extends Named {
  /** What a run request and its manifest say: `model.name`. It stands before a checkpoint of the same name. */
  readonly name: string
  /** The longest text that it reads, in tokens; runs may cut at fewer. */
  readonly maxTokens: number
  /**
   * Which tensors a run adapts: a function of the request alone, without side effects; it is asked for every task to
   * find out which the model has. Layers are linear, W0 of dOut x dIn; the head's last `.weight` is its output layer.
   *
   * @throws FedsvdError CONFIG_INVALID for a task that the model does not have, ADAPTER_INVALID for a rank or targets
   *   that fit no layer
   */
  adapterSchema(request: AdapterRequest): Promise<AdapterSchema>
  /** The same ids for a text on every side, whatever it stands beside. */
  loadTokenizer(): Promise<Tokenizer>
  /**
   * The private step and inference under a schema that {@link adapterSchema} has made. At B = 0 it computes the base
   * model. The gradient of a record must not depend on what is in its micro-batch: the sensitivity of the sum rests on
   * it. An engine from `createClassifierEngine` of the model kit has that, clips in integers and tests itself.
   *
   * @throws FedsvdError RUNTIME_UNAVAILABLE
   */
  createEngine(request: ModelRequest, runtime: RuntimeSettings): Promise<TaskEngine>
  /** How the whole model leaves; absent: its exports are adapters alone. */
  readonly portable?: PortableModel
}

/** What it takes to use a base model outside: its weights, its graph and its tokenizer. */
export interface PortableModel {
  /** The frozen tensors. The weight of an adapted layer is `<layer>.weight`. */
  checkpoint(): Promise<Checkpoint>
  /** True where weights are [dIn, dOut], PEFT's `fan_in_fan_out`. */
  readonly storesInputsFirst: boolean
  /** The model on such tensors, as graphs are made of it. */
  classifier(request: ModelRequest, checkpoint: Checkpoint): Promise<ClassifierModel>
  /** The engine on such tensors. @throws FedsvdError RUNTIME_UNAVAILABLE */
  createEngine(request: ModelRequest, runtime: RuntimeSettings, checkpoint: Checkpoint): Promise<TaskEngine>
  /**
   * `tokenizer.json` and `tokenizer_config.json` for Hugging Face's libraries: the ids of the model's own tokenizer for
   * texts as they come, white space and all.
   */
  tokenizer(): Promise<{ readonly tokenizer: JsonObject; readonly config: JsonObject }>
}
