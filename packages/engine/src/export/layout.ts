import { predictsTokens, type Task } from '@fedsvd/core/adapters'
import {
  type ConfigFields,
  DECODER_TYPES,
  decoderConfig,
  decoderTensorName,
  encoderConfig,
  encoderTensorName,
} from '@fedsvd/core/model'

/** How Hugging Face's library stores one architecture. */
export interface ExportLayout {
  /** The model's name for a tensor of a file; undefined for what it leaves out, such as heads of pre-training. */
  nameOf(name: string): string | undefined
  /** True where linear weights are stored as [dIn, dOut]. */
  readonly fanInFanOut: boolean
}

/** @throws FedsvdError CHECKPOINT_INVALID for an architecture that is not supported */
export function layoutOf(config: ConfigFields): ExportLayout {
  if ((DECODER_TYPES as readonly unknown[]).includes(config.model_type)) {
    const decoder = decoderConfig(config)
    return { nameOf: (name) => decoderTensorName(decoder, name), fanInFanOut: decoder.family === 'gpt2' }
  }
  const encoder = encoderConfig(config)
  const nameOf = (name: string) => {
    const own = encoderTensorName(encoder, name)
    return own.startsWith(`${encoder.family}.`) ? own : undefined
  }
  return { nameOf, fanInFanOut: false }
}

/** What Hugging Face calls an architecture in the names of its classes. */
const CLASSES: Readonly<Record<string, string>> = {
  bert: 'Bert',
  roberta: 'Roberta',
  'xlm-roberta': 'XLMRoberta',
  distilbert: 'DistilBert',
  gpt2: 'GPT2',
  llama: 'Llama',
  mistral: 'Mistral',
  qwen2: 'Qwen2',
}

const ENDINGS: Readonly<Record<Task, string>> = {
  'sequence-classification': 'ForSequenceClassification',
  'token-classification': 'ForTokenClassification',
  'causal-lm': 'ForCausalLM',
  'instruction-tuning': 'ForCausalLM',
}

/** The members of config.json that say what a model was made into. */
export function taskFields(modelType: string, task: Task, labels: readonly string[]): ConfigFields {
  const name = CLASSES[modelType]
  const ending = name === 'GPT2' && predictsTokens(task) ? 'LMHeadModel' : ENDINGS[task]
  const architectures = name === undefined ? {} : { architectures: [`${name}${ending}`] }
  if (predictsTokens(task)) return architectures
  return {
    ...architectures,
    ...(task === 'sequence-classification' && { problem_type: 'single_label_classification' }),
    id2label: Object.fromEntries(labels.map((label, index) => [String(index), label])),
    label2id: Object.fromEntries(labels.map((label, index) => [label, index])),
  }
}
