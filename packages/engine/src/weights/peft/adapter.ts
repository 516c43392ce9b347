import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type AdapterSchema,
  type AdapterState,
  DEFAULT_TASK,
  stateFromTensors,
  stateSpecs,
  type Task,
  tensorsOfState,
} from '@fedsvd/core/lora'
import { storesInputsFirst } from '@fedsvd/core/models'
import { MANIFEST_DEFAULTS } from '@fedsvd/core/protocol'
import type { NamedTensor } from '@fedsvd/core/tensor'
import { makeFolder } from '../../files/index.ts'
import { decodeSafetensors, encodeSafetensors } from '../safetensors/index.ts'

const PREFIX = 'base_model.model.'
const WEIGHTS_FILE = 'adapter_model.safetensors'
const CONFIG_FILE = 'adapter_config.json'

/** What PEFT's `adapter_config.json` needs to know beside the factors. */
export interface AdapterDescription {
  /** Absent: sequence classification. */
  readonly task?: Task | undefined
  readonly schema: AdapterSchema
  readonly baseModel: string
  readonly labels: readonly string[]
  /** What multiplied the features before the head in training, 1 unless given; it is folded into the head's weight. */
  readonly featureScale?: number | undefined
  /** Free text facts for the safetensors metadata: run, round, privacy. */
  readonly metadata?: Readonly<Record<string, string>>
}

/**
 * Writes a state as a PEFT adapter: `adapter_model.safetensors` with PEFT's names (`lora_A` rank x dIn, `lora_B` dOut x
 * rank, the head among `modules_to_save`) and `adapter_config.json`, whose `lora_alpha / r` is the scaling of B A.
 *
 * @returns the folder's two files
 */
export async function writeAdapter(
  folder: string,
  state: AdapterState,
  description: AdapterDescription,
): Promise<string[]> {
  makeFolder(folder)
  const tensors = tensorsOfState(withoutFeatureScale(state, description)).map((tensor) => ({
    ...tensor,
    name: PREFIX + tensor.name,
  }))
  const files = [join(folder, WEIGHTS_FILE), join(folder, CONFIG_FILE)]
  await writeFile(files[0]!, encodeSafetensors(tensors, metadataOf(description)))
  await writeFile(files[1]!, `${JSON.stringify(adapterConfig(description), null, 2)}\n`)
  return files
}

/**
 * Reads an adapter that {@link writeAdapter} wrote, in the order of the schema.
 *
 * @throws FedsvdError CHECKPOINT_INVALID or ADAPTER_INVALID when the files do not fit the schema
 */
export async function readAdapter(folder: string, schema: AdapterSchema, basis = 0): Promise<AdapterState> {
  const { tensors } = decodeSafetensors(await readFile(join(folder, WEIGHTS_FILE)))
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]))
  const ordered = stateSpecs(schema).flatMap(({ name }) => {
    const tensor = byName.get(PREFIX + name)
    return tensor === undefined ? [] : [{ ...tensor, name }]
  })
  return stateFromTensors(schema, basis, ordered)
}

/**
 * The same model where nothing multiplies the input of the head's output layer: `(s x) W^T + bias = x (s W)^T + bias`.
 * The output layer's weight is the last of the head; what a deeper head has before it is not scaled. Taggers are
 * trained without a scale, whatever their run says.
 */
export function withoutFeatureScale(
  state: AdapterState,
  {
    task = DEFAULT_TASK,
    featureScale = MANIFEST_DEFAULTS.featureScale,
  }: Pick<AdapterDescription, 'task' | 'featureScale'>,
): AdapterState {
  if (task !== 'sequence-classification') return state
  const output = state.head.findLastIndex(({ name }) => name.endsWith('.weight'))
  const folded = (tensor: NamedTensor, index: number) =>
    index === output ? { ...tensor, data: tensor.data.map((value) => featureScale * value) } : tensor
  return { ...state, head: state.head.map(folded) }
}

/** The class names are kept with the weights: PEFT's config refuses members that it does not know. */
function metadataOf({ labels, metadata }: AdapterDescription): Record<string, string> {
  return { ...metadata, labels: JSON.stringify(labels) }
}

/** PEFT's names for the tasks. */
export const PEFT_TASK_TYPES: Readonly<Record<Task, string>> = {
  'sequence-classification': 'SEQ_CLS',
  'token-classification': 'TOKEN_CLS',
  'causal-lm': 'CAUSAL_LM',
  'instruction-tuning': 'CAUSAL_LM',
}

function adapterConfig({ task = DEFAULT_TASK, schema, baseModel }: AdapterDescription): Record<string, unknown> {
  // PEFT saves whole modules: RoBERTa's classifier with both of its layers
  const heads = schema.head.map(({ name }) => name.slice(0, name.indexOf('.')))
  const [path, revision = null] = baseModel.split('@')
  return {
    peft_type: 'LORA',
    task_type: PEFT_TASK_TYPES[task],
    base_model_name_or_path: path,
    revision,
    r: schema.rank,
    lora_alpha: schema.alpha,
    lora_dropout: 0,
    bias: 'none',
    fan_in_fan_out: schema.layers.some(({ name }) => storesInputsFirst(name)),
    use_rslora: false,
    use_dora: false,
    init_lora_weights: true,
    inference_mode: true,
    target_modules: schema.layers.map(({ name }) => name),
    modules_to_save: heads.length > 0 ? Array.from(new Set(heads)) : null,
  }
}
