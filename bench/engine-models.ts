/** The models that bench/engine.ts measures, with random weights: speed does not depend on what they have learnt. */
import type { AdapterSchema } from '../packages/core/src/lora/index.ts'
import {
  type Checkpoint,
  type ClassifierModel,
  ENCODER_DEFAULT_TARGETS,
  type EncoderConfig,
  encoderFeatures,
  encoderLayers,
  headSpecs,
  targetedLayers,
} from '../packages/core/src/models/index.ts'
import { type NamedTensor, sizeOf } from '../packages/core/src/tensor/index.ts'
import { loadRuntime, type RunnerFactory } from '../packages/engine/src/runtime/index.ts'
import type { RuntimeSettings } from '../packages/engine/src/settings/index.ts'
import { classifierEngine, type TrainingEngine } from '../packages/engine/src/training/index.ts'
import { createStarterEngine, STARTER_ENCODER } from '../packages/starter/src/index.ts'

export const RANK = 8
export const ALPHA = 8
export const CLASSES = 2

/** What one model is to both sides. */
export interface BenchModel {
  readonly kind: 'starter' | 'bert'
  readonly vocabularySize: number
  readonly embeddingWidth: number
  readonly width: number
  readonly ffnWidth: number
  readonly heads: number
  readonly layers: number
  readonly maxTokens: number
  /** Records of one lot of the bench. */
  readonly lot: number
}

const bert = (width: number, layers: number, heads: number, vocabularySize: number, lot: number): BenchModel => ({
  kind: 'bert',
  vocabularySize,
  embeddingWidth: width,
  width,
  ffnWidth: 4 * width,
  heads,
  layers,
  maxTokens: 512,
  lot,
})

export const MODELS: Readonly<Record<string, BenchModel>> = {
  starter: { kind: 'starter', ...STARTER_ENCODER, lot: 64 },
  minilm: bert(384, 6, 12, 30_522, 64),
  'bert-base': bert(768, 12, 12, 30_522, 16),
  'roberta-large': bert(1024, 24, 16, 50_265, 8),
}

/** The engine as a client makes it: rank 8 on PEFT's default targets, or on all projections of the starter. */
export async function engineOf(
  model: BenchModel,
  settings: RuntimeSettings,
  createRunner?: RunnerFactory,
): Promise<TrainingEngine> {
  const terms = { rank: RANK, alpha: ALPHA, headMode: 'trained', classes: CLASSES } as const
  if (model.kind === 'starter')
    return await createStarterEngine({ ...terms, ...settings, ...(createRunner && { createRunner }) })
  const config: EncoderConfig = {
    ...model,
    family: 'roberta',
    firstPosition: 0,
    tokenTypes: 0,
    layerNormEpsilon: 1e-5,
    activation: 'gelu',
  }
  const layers = targetedLayers(encoderLayers(config), ENCODER_DEFAULT_TARGETS.roberta)
  const schema: AdapterSchema = { ...terms, layers, head: headSpecs(model.width, CLASSES) }
  const checkpoint = randomCheckpoint(config)
  const classifier: ClassifierModel = {
    layers,
    rank: RANK,
    scale: ALPHA / RANK,
    featureWidth: model.width,
    featureScale: 1,
    classes: CLASSES,
    encode: (g, tokenIds, adapters, typeIds) => encoderFeatures(g, { tokenIds, typeIds }, config, checkpoint, adapters),
  }
  const { maxTokens, vocabularySize } = model
  return classifierEngine({
    model: classifier,
    schema,
    limits: { maxTokens, positions: maxTokens, vocabularySize, classes: CLASSES },
    maxTokensPerMicroBatch: 1024,
    createRunner: createRunner ?? (await loadRuntime(settings)),
  })
}

function randomCheckpoint({ vocabularySize, width, ffnWidth, layers, maxTokens }: EncoderConfig): Checkpoint {
  const tensors = new Map<string, NamedTensor>()
  const put = (name: string, shape: readonly number[]) => {
    tensors.set(name, { name, shape, data: randomValues(sizeOf(shape), name.includes('LayerNorm.weight') ? 1 : 0) })
  }
  const linear = (name: string, dIn: number, dOut: number) => {
    put(`${name}.weight`, [dOut, dIn])
    put(`${name}.bias`, [dOut])
  }
  const norm = (name: string) => {
    put(`${name}.LayerNorm.weight`, [width])
    put(`${name}.LayerNorm.bias`, [width])
  }
  put('roberta.embeddings.word_embeddings.weight', [vocabularySize, width])
  put('roberta.embeddings.position_embeddings.weight', [maxTokens, width])
  norm('roberta.embeddings')
  for (let index = 0; index < layers; index++) {
    const layer = `roberta.encoder.layer.${index}`
    for (const part of ['query', 'key', 'value']) linear(`${layer}.attention.self.${part}`, width, width)
    linear(`${layer}.attention.output.dense`, width, width)
    norm(`${layer}.attention.output`)
    linear(`${layer}.intermediate.dense`, width, ffnWidth)
    linear(`${layer}.output.dense`, ffnWidth, width)
    norm(`${layer}.output`)
  }
  return tensors
}

/** Uniform with standard deviation 0.02 around `mean`; xorshift, because millions are needed. */
function randomValues(length: number, mean: number): Float32Array {
  const data = new Float32Array(length)
  let state = length | 1
  for (let index = 0; index < length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    data[index] = mean + (0.02 * Math.sqrt(12) * state) / 2 ** 32
  }
  return data
}
