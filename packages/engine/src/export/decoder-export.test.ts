import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { initialState, specOfB } from '@fedsvd/core/adapters'
import type { Checkpoint } from '@fedsvd/core/model'
import { TINY_GPT2, TINY_QWEN2, tinyGpt2Checkpoint, tinyLlamaCheckpoint, waveNamed } from '@fedsvd/core/model/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CheckpointFolder, openCheckpoint } from '../checkpoint/index.ts'
import { checkpointHead } from '../models/index.ts'
import { encodeSafetensors } from '../safetensors/index.ts'
import { wordPieceTokenizer } from '../tokenizer/testing/index.ts'
import { checkpointSchema, createCheckpointEngine } from '../training/index.ts'
import { exportMerged, exportOnnx } from './index.ts'

const LABELS = ['no', 'yes']
const RECORDS = [
  { tokenIds: Int32Array.of(3, 5, 7, 11), label: 0 },
  { tokenIds: Int32Array.of(2, 1), label: 1 },
]
const gpt2 = {
  model_type: 'gpt2',
  vocab_size: TINY_GPT2.vocabularySize,
  n_embd: TINY_GPT2.width,
  n_inner: TINY_GPT2.ffnWidth,
  n_layer: TINY_GPT2.layers,
  n_head: TINY_GPT2.heads,
  n_positions: TINY_GPT2.positions,
  layer_norm_epsilon: TINY_GPT2.layerNormEpsilon,
  activation_function: 'gelu_new',
}
const qwen2 = {
  model_type: 'qwen2',
  vocab_size: TINY_QWEN2.vocabularySize,
  hidden_size: TINY_QWEN2.width,
  intermediate_size: TINY_QWEN2.ffnWidth,
  num_hidden_layers: TINY_QWEN2.layers,
  num_attention_heads: TINY_QWEN2.heads,
  num_key_value_heads: TINY_QWEN2.keyValueHeads,
  max_position_embeddings: TINY_QWEN2.maxTokens,
  rms_norm_eps: TINY_QWEN2.rmsNormEpsilon,
  rope_theta: TINY_QWEN2.ropeTheta,
  tie_word_embeddings: true,
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedsvd-decoders-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe.each<[string, object, Checkpoint]>([
  ['gpt2, whose weights are stored the other way round', gpt2, tinyGpt2Checkpoint()],
  ['qwen2', qwen2, tinyLlamaCheckpoint(TINY_QWEN2, true)],
])('%s', (name, config, tensors) => {
  it('merged is a checkpoint that gives the logits of the adapted one', async () => {
    const source = await mkdtemp(join(folder, 'base-'))
    await writeFile(join(source, 'config.json'), JSON.stringify(config))
    await writeFile(join(source, 'tokenizer.json'), JSON.stringify(wordPieceTokenizer(['a'])))
    await writeFile(join(source, 'model.safetensors'), encodeSafetensors([...tensors.values()]))
    const base = await openCheckpoint(source)
    const options = { rank: 2, alpha: 4, headMode: 'trained', classes: 2, targets: ['all-linear'] } as const
    const schema = checkpointSchema(base.config, options)
    const initial = initialState(schema, { seed: 'export' })
    const state = {
      ...initial,
      b: schema.layers.map((layer, index) => waveNamed(index, specOfB(schema, layer), 0.3)),
      head: initial.head.map((spec, index) => waveNamed(50 + index, spec, 0.5)),
    }
    const logitsOf = async (checkpoint: CheckpointFolder, from: typeof state) => {
      await using engine = await createCheckpointEngine(checkpoint, { schema, classes: 2, maxTokens: 16, threads: 1 })
      if (!('logits' in engine)) throw new TypeError('expected a classifier')
      return await engine.logits(RECORDS, from)
    }
    const target = join(folder, name)
    await exportMerged(target, base, { schema, state, labels: LABELS })
    const merged = await openCheckpoint(target)
    expect(merged.config).toMatchObject({ architectures: [expect.stringMatching(/^(GPT2|Qwen2)ForSequence/)] })
    const head = await checkpointHead(merged, { schema, labels: LABELS })
    const actual = await logitsOf(merged, initialState(schema, { seed: 'x', head }) as typeof state)
    const expected = await logitsOf(base, state)
    const untrained = await logitsOf(base, { ...state, b: initial.b } as typeof state)
    expected.forEach((value, at) => {
      expect(Math.abs(actual[at]! - value)).toBeLessThan(1e-5)
    })
    expect(Math.max(...expected.map((value, at) => Math.abs(value - untrained[at]!)))).toBeGreaterThan(1e-3)
    await expect(exportOnnx(join(folder, 'onnx'), base, { schema, state, labels: LABELS })).rejects.toThrow(
      /CONFIG_INVALID: expected an encoder that classifies texts/,
    )
  })
})
