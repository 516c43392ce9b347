import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AdapterState, initialState, specOfB, type Task } from '@fedsvd/core/lora'
import { type ConfigFields, decoderConfig } from '@fedsvd/core/models'
import { logSumExp } from '@fedsvd/core/numeric'
import { tinyGpt2Checkpoint, tinyLlamaCheckpoint, waveNamed } from '@fedsvd/testing/core/models'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkpointSchema, createCheckpointEngine, type TokenEngine } from '../training/index.ts'
import { type CheckpointFolder, openCheckpoint } from '../weights/huggingface/index.ts'
import { readAdapter, writeAdapter } from '../weights/peft/index.ts'
import { encodeSafetensors } from '../weights/safetensors/index.ts'
import { exportMerged } from './merged-checkpoint.ts'
import { exportOnnx } from './onnx-model.ts'
import type { TrainedState } from './trained-state.ts'

const GPT2 = { model_type: 'gpt2', vocab_size: 19, n_embd: 8, n_layer: 2, n_head: 2, n_positions: 48, n_inner: 16 }
const QWEN2 = {
  model_type: 'qwen2',
  vocab_size: 19,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 48,
  tie_word_embeddings: true,
}

/** The files of a checkpoint as a bare GPT-2 has them: without the prefix, and with the masks of old files. */
function filesOf(config: ConfigFields) {
  const { family, sizes, tied } = decoderConfig(config)
  if (family === 'llama') return [...tinyLlamaCheckpoint(sizes, tied).values()]
  const bare = [...tinyGpt2Checkpoint(sizes)].map(([name, tensor]) => {
    return { ...tensor, name: name.replace('transformer.', '') }
  })
  return [...bare, { name: 'h.0.attn.bias', shape: [1], data: Float32Array.of(1) }]
}

describe.each<[string, ConfigFields, Task, string, boolean]>([
  ['gpt2', GPT2, 'causal-lm', 'GPT2LMHeadModel', true],
  ['gpt2', GPT2, 'token-classification', 'GPT2ForTokenClassification', true],
  ['qwen2', QWEN2, 'instruction-tuning', 'Qwen2ForCausalLM', false],
])('%s', (_, config, task, architecture, fanInFanOut) => {
  const labels = task === 'token-classification' ? ['a', 'b', 'c'] : []
  const records = [
    { tokenIds: Int32Array.of(3, 1, 4), targets: Int32Array.of(1, 2, 0) },
    { tokenIds: Int32Array.of(7), targets: Int32Array.of(2) },
  ]
  let folder: string
  let checkpoint: CheckpointFolder
  let trained: TrainedState
  let expected: readonly number[]
  const lossesOf = async (of: CheckpointFolder, state: AdapterState) => {
    const options = { task, schema: trained.schema, classes: labels.length, threads: 1 }
    await using engine = (await createCheckpointEngine(of, options)) as TokenEngine
    return (await engine.scores(records, state)).flatMap(({ losses }) => [...losses])
  }
  const agree = (actual: readonly number[]) => {
    expect(actual).toHaveLength(expected.length)
    for (const [at, value] of expected.entries()) expect(Math.abs(actual[at]! / value - 1)).toBeLessThan(1e-5)
  }
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fedsvd-decoder-'))
    await writeFile(join(folder, 'config.json'), JSON.stringify(config))
    await writeFile(join(folder, 'model.safetensors'), encodeSafetensors(filesOf(config)))
    checkpoint = await openCheckpoint(folder)
    const terms = { task, rank: 2, alpha: 4, headMode: 'trained', classes: labels.length } as const
    const schema = checkpointSchema(config, { ...terms, targets: ['all-linear'] })
    const initial = initialState(schema, { seed: 'export' })
    const state = {
      ...initial,
      b: schema.layers.map((layer, index) => waveNamed(index, specOfB(schema, layer), 0.2)),
      head: initial.head.map((spec, index) => waveNamed(100 + index, spec, 0.4)),
    }
    trained = { task, schema, state, labels }
    expected = await lossesOf(checkpoint, state)
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('as an adapter says what PEFT must know', async () => {
    const target = join(folder, 'peft')
    await writeAdapter(target, trained.state, { ...trained, baseModel: 'tiny' })
    agree(await lossesOf(checkpoint, await readAdapter(target, trained.schema)))
    expect(JSON.parse(await readFile(join(target, 'adapter_config.json'), 'utf8'))).toMatchObject({
      task_type: task === 'token-classification' ? 'TOKEN_CLS' : 'CAUSAL_LM',
      fan_in_fan_out: fanInFanOut,
      modules_to_save: task === 'token-classification' ? ['classifier'] : null,
    })
  })

  it('merged is a checkpoint again and says the same', async () => {
    const target = join(folder, 'merged')
    await exportMerged(target, checkpoint, trained)
    const merged = await openCheckpoint(target)
    expect(merged.config).toMatchObject({ ...config, architectures: [architecture] })
    const untrained = initialState(trained.schema, { seed: 'any', head: trained.state.head })
    agree(await lossesOf(merged, untrained))
    const before = await lossesOf(checkpoint, untrained)
    expect(Math.max(...before.map((value, at) => Math.abs(value - expected[at]!)))).toBeGreaterThan(1e-2)
  })

  it('as ONNX says the same at every token, of what a tokenizer gives', async () => {
    const [path] = await exportOnnx(join(folder, 'onnx'), checkpoint, trained)
    const session = await InferenceSession.create(path!)
    expect(session.inputNames).toEqual(['input_ids', 'attention_mask'])
    const of = (values: number[]) => new Tensor('int64', BigInt64Array.from(values, BigInt), [2, 3])
    // the second text has one token, and whatever stands behind it
    const feeds = { input_ids: of([3, 1, 4, 7, 5, 5]), attention_mask: of([1, 1, 1, 1, 0, 0]) }
    const { logits } = await session.run(feeds)
    const outputs = labels.length || 19
    expect(logits!.dims).toEqual([2, 3, outputs])
    const rows = [0, 1, 2, 3].map((row) => {
      return (logits!.data as Float32Array).subarray(row * outputs, (row + 1) * outputs)
    })
    const targets = records.flatMap((record) => [...record.targets])
    agree(rows.map((row, at) => logSumExp(row) - row[targets[at]!]!))
    await session.release()
  })
})
