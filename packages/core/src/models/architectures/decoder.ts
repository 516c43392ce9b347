import { BATCH, type GraphBuilder, ops, SEQUENCE, type Value } from '../../autodiff/index.ts'
import type { NamedTensor, TensorSpec } from '../../tensor/index.ts'
import type { ClassificationHead } from '../heads/classification-head.ts'
import { positionsOf } from '../layers/causal-attention.ts'
import type { LoraAdapters } from '../layers/linear.ts'
import type { LinearLayer } from '../layers/linear-layer.ts'
import { type Checkpoint, tensorOf } from '../layers/parameters.ts'
import type { DecoderConfig } from './decoder-config.ts'
import { GPT2_DEFAULT_TARGETS, gpt2, gpt2Layers } from './gpt2.ts'
import { LLAMA_DEFAULT_TARGETS, llama, llamaLayers } from './llama.ts'

/** The layers that may carry an adapter, in the order in which a token meets them. */
export function decoderLayers(config: DecoderConfig): readonly LinearLayer[] {
  return config.family === 'gpt2' ? gpt2Layers(config.sizes) : llamaLayers(config.sizes)
}

/** What PEFT adapts unless it is told otherwise. */
export function decoderDefaultTargets({ family }: DecoderConfig): readonly string[] {
  return family === 'gpt2' ? GPT2_DEFAULT_TARGETS : LLAMA_DEFAULT_TARGETS
}

/** What Hugging Face calls the head that tags tokens. Sequence classification calls it `score` in every decoder. */
export function decoderTagHead({ family }: DecoderConfig): string {
  return family === 'gpt2' ? 'classifier' : 'score'
}

/** The same decoder for texts of at most `maxTokens`: its tables of positions are no longer than a run needs. */
export function withMaxTokens(config: DecoderConfig, maxTokens: number): DecoderConfig {
  if (config.family === 'gpt2') return { ...config, sizes: { ...config.sizes, maxTokens } }
  return { ...config, sizes: { ...config.sizes, maxTokens } }
}

/** The last hidden states [N, T, width] of token ids [N, T]; see `gpt2` and `llama`. */
export function decoderStates(
  g: GraphBuilder,
  tokenIds: Value,
  config: DecoderConfig,
  checkpoint: Checkpoint,
  adapters: LoraAdapters,
): Value {
  if (config.family === 'gpt2') return gpt2(g, tokenIds, config.sizes, checkpoint, adapters)
  return llama(g, tokenIds, config.sizes, checkpoint, adapters)
}

/** What a classification head sees [N, width]: the state of each record's last token, which has seen all the others. */
export function decoderFeatures(
  g: GraphBuilder,
  tokenIds: Value,
  config: DecoderConfig,
  checkpoint: Checkpoint,
  adapters: LoraAdapters,
): Value {
  const { maxTokens, width } = config.sizes
  const states = decoderStates(g, tokenIds, config, checkpoint, adapters)
  const isToken = ops.toFloat(g, ops.greaterOrEqual(g, tokenIds, ops.reshape(g, g.indices([0]), [])))
  const ordinals = ops.add(g, ops.toFloat(g, positionsOf(g, tokenIds, maxTokens)), g.scalar(1))
  const isLast = ops.toFloat(
    g,
    ops.equal(g, ops.reduceSum(g, isToken, [1], true), ops.reshape(g, ordinals, [1, SEQUENCE])),
  )
  const selection = ops.reshape(g, isLast, [BATCH, 1, SEQUENCE])
  return ops.reshape(g, ops.matmul(g, selection, states), [BATCH, width])
}

/** The head of `...ForSequenceClassification`: one linear layer without a bias. */
export function scoreHead(width: number, classes: number): ClassificationHead {
  const spec: TensorSpec = { name: 'score.weight', shape: [classes, width] }
  return {
    specs: [spec],
    logits: (g, features, parameter, featureScale) =>
      ops.matmul(g, ops.scale(g, features, featureScale), ops.transposeMatrix(g, parameter(spec))),
  }
}

/** The output embeddings [vocabularySize, width]. */
export function outputEmbeddings({ family, tied, sizes }: DecoderConfig, checkpoint: Checkpoint): NamedTensor {
  const input = family === 'gpt2' ? 'transformer.wte.weight' : 'model.embed_tokens.weight'
  return tensorOf(checkpoint, tied ? input : 'lm_head.weight', [sizes.vocabularySize, sizes.width])
}

/**
 * The name under which the model looks for a tensor of a file, or undefined for what it does not read: heads, and the
 * masks that old files of GPT-2 hold. Checkpoints of the bare decoder have no prefix.
 */
export function decoderTensorName({ family, tied }: DecoderConfig, name: string): string | undefined {
  if (name === 'lm_head.weight') return tied ? undefined : name
  if (family === 'gpt2') {
    if (/\.attn\.(masked_)?bias$/.test(name)) return undefined
    const whole = /^(wte|wpe|h|ln_f)\./.test(name) ? `transformer.${name}` : name
    return whole.startsWith('transformer.') ? whole : undefined
  }
  if (name.endsWith('.rotary_emb.inv_freq')) return undefined
  const whole = /^(embed_tokens|layers|norm)\./.test(name) ? `model.${name}` : name
  return whole.startsWith('model.') ? whole : undefined
}
