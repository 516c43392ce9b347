import type { EncoderConfig, EncoderFamily } from './encoder-config.ts'

/** What the tensors of one family are called in Hugging Face's checkpoints. */
export interface EncoderNames {
  /** Begins the name of every tensor below the head; checkpoints without a head may leave it out. */
  readonly prefix: string
  /** The layer of index i is `${prefix}.${layer}.${i}`; the names below stand behind that. */
  readonly layer: string
  readonly query: string
  readonly key: string
  readonly value: string
  readonly out: string
  readonly attentionNorm: string
  readonly up: string
  readonly down: string
  readonly ffnNorm: string
}

const BERT_LAYER = {
  layer: 'encoder.layer',
  query: 'attention.self.query',
  key: 'attention.self.key',
  value: 'attention.self.value',
  out: 'attention.output.dense',
  attentionNorm: 'attention.output.LayerNorm',
  up: 'intermediate.dense',
  down: 'output.dense',
  ffnNorm: 'output.LayerNorm',
} as const

export const ENCODER_NAMES: Readonly<Record<EncoderFamily, EncoderNames>> = {
  bert: { prefix: 'bert', ...BERT_LAYER },
  roberta: { prefix: 'roberta', ...BERT_LAYER },
  distilbert: {
    prefix: 'distilbert',
    layer: 'transformer.layer',
    query: 'attention.q_lin',
    key: 'attention.k_lin',
    value: 'attention.v_lin',
    out: 'attention.out_lin',
    attentionNorm: 'sa_layer_norm',
    up: 'ffn.lin1',
    down: 'ffn.lin2',
    ffnNorm: 'output_layer_norm',
  },
}

/** What PEFT adapts unless it is told otherwise. */
export const ENCODER_DEFAULT_TARGETS: Readonly<Record<EncoderFamily, readonly string[]>> = {
  bert: ['query', 'value'],
  roberta: ['query', 'value'],
  distilbert: ['q_lin', 'v_lin'],
}

/** Parts of an encoder as checkpoints name them where they leave the prefix out. */
const PARTS = /^(embeddings|encoder|transformer|pooler)\./

/**
 * The name under which the model looks for a tensor of a file. Checkpoints of the bare encoder have no prefix, and the
 * first ones (TensorFlow's) call gain and shift of a norm gamma and beta.
 */
export function encoderTensorName({ family }: Pick<EncoderConfig, 'family'>, name: string): string {
  const { prefix } = ENCODER_NAMES[family]
  const whole = PARTS.test(name) ? `${prefix}.${name}` : name
  return whole.replace(/(norm|LayerNorm)\.gamma$/, '$1.weight').replace(/(norm|LayerNorm)\.beta$/, '$1.bias')
}
