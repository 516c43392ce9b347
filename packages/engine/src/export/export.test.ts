import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type AdapterState, initialState, specOfB, tensorsOfState } from '@fedsvd/core/lora'
import { encoderConfig } from '@fedsvd/core/models'
import { waveNamed } from '@fedsvd/testing/core/models'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkpointHead } from '../models/index.ts'
import { createEncoderEngine, encoderSchema } from '../training/index.ts'
import { type CheckpointFolder, openCheckpoint } from '../weights/huggingface/index.ts'
import { readAdapter, writeAdapter } from '../weights/peft/index.ts'
import { decodeSafetensors } from '../weights/safetensors/index.ts'
import { exportMerged } from './merged-checkpoint.ts'
import { exportOnnx } from './onnx-model.ts'
import type { TrainedState } from './trained-state.ts'

const LABELS = ['bad', 'fine', 'good']
const FEATURE_SCALE = 3
const RECORDS = [
  { tokenIds: Int32Array.of(2, 11, 7, 20, 31, 3), typeIds: Int32Array.of(0, 0, 0, 1, 1, 1), label: 0 },
  { tokenIds: Int32Array.of(2, 5, 3), typeIds: Int32Array.of(0, 0, 0), label: 1 },
]

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedsvd-export-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe.each(['bert', 'roberta', 'xlm-roberta', 'distilbert'])('%s', (name) => {
  let checkpoint: CheckpointFolder
  let trained: TrainedState
  let expected: Float32Array
  let base: Float32Array

  const logitsOf = async (of: CheckpointFolder, state: AdapterState, featureScale = 1): Promise<Float32Array> => {
    await using engine = await createEncoderEngine(of, {
      schema: trained.schema,
      classes: LABELS.length,
      featureScale,
      threads: 1,
    })
    return await engine.logits(RECORDS, state)
  }

  /** A start from which nothing has been trained: B = 0, and the head that is given. */
  const untrained = (head?: AdapterState['head']) => initialState(trained.schema, { seed: 'export', head })

  const agree = (actual: Float32Array) => {
    const largest = Math.max(...expected.map(Math.abs))
    expect(actual).toHaveLength(expected.length)
    actual.forEach((value, at) => {
      expect(Math.abs(value - expected[at]!)).toBeLessThan(1e-5 * largest)
    })
  }

  beforeAll(async () => {
    checkpoint = await openCheckpoint(fileURLToPath(new URL(`../training/vectors/encoders/${name}`, import.meta.url)))
    const config = encoderConfig(checkpoint.config)
    const options = { rank: 2, alpha: 4, headMode: 'trained', classes: LABELS.length, targets: ['all-linear'] } as const
    const schema = encoderSchema(config, options)
    const initial = initialState(schema, { seed: 'export' })
    const state = {
      ...initial,
      b: schema.layers.map((layer, index) => waveNamed(index, specOfB(schema, layer), 0.2)),
      head: initial.head.map((spec, index) => waveNamed(100 + index, spec, 0.4)),
    }
    trained = { schema, state, labels: LABELS, featureScale: FEATURE_SCALE, metadata: { runId: 'one' } }
    expected = await logitsOf(checkpoint, state, FEATURE_SCALE)
    base = await logitsOf(checkpoint, untrained(state.head), FEATURE_SCALE)
  })

  it('as an adapter gives the same logits to whoever knows nothing of the feature scale, and others than the base', async () => {
    const { schema, state, labels, featureScale } = trained
    const target = join(folder, name, 'peft')
    await writeAdapter(target, state, { schema, baseModel: `owner/${name}@${'a'.repeat(40)}`, labels, featureScale })
    const reloaded = await readAdapter(target, schema)
    agree(await logitsOf(checkpoint, reloaded))
    expect(Math.max(...base.map((value, at) => Math.abs(value - expected[at]!)))).toBeGreaterThan(1e-2)
    for (const [index, tensor] of tensorsOfState(reloaded).entries()) {
      const before = tensorsOfState(untrained())[index]!
      expect(before.name).toBe(tensor.name)
      if (!tensor.name.endsWith('lora_A.weight')) expect(tensor.data, tensor.name).not.toEqual(before.data)
    }
    const config = JSON.parse(await readFile(join(target, 'adapter_config.json'), 'utf8')) as Record<string, unknown>
    expect(config).toMatchObject({
      base_model_name_or_path: `owner/${name}`,
      revision: 'a'.repeat(40),
      task_type: 'SEQ_CLS',
      r: 2,
      lora_alpha: 4,
      modules_to_save: name === 'distilbert' ? ['pre_classifier', 'classifier'] : ['classifier'],
    })
    expect(config.target_modules).toEqual(schema.layers.map((layer) => layer.name))
    const keys = decodeSafetensors(await readFile(join(target, 'adapter_model.safetensors'))).tensors.map((t) => t.name)
    expect(keys).toContain(`base_model.model.${schema.layers[0]!.name}.lora_A.weight`)
    expect(keys).toContain(`base_model.model.${schema.head.at(-1)!.name}`)
  })

  it('merged is a checkpoint again, with another name for none of its tensors, and gives the same logits', async () => {
    const target = join(folder, name, 'merged')
    await exportMerged(target, checkpoint, trained)
    const merged = await openCheckpoint(target)
    expect(merged.config).toMatchObject({
      ...checkpoint.config,
      architectures: [expect.stringMatching(/ForSequenceClassification$/)],
      id2label: { 0: 'bad', 1: 'fine', 2: 'good' },
      label2id: { bad: 0, fine: 1, good: 2 },
    })
    const head = await checkpointHead(merged, { schema: trained.schema, labels: LABELS })
    expect(head?.map((tensor) => tensor.name)).toEqual(trained.schema.head.map((spec) => spec.name))
    agree(await logitsOf(merged, untrained(head)))
    const text = 'the movie was very good.'
    const ids = await (await checkpoint.tokenizer()).encode(text, 16)
    expect(await (await merged.tokenizer()).encode(text, 16)).toEqual(ids)
    const [before, after] = [await checkpoint.tensors(), await merged.tensors()]
    const adapted = new Set(trained.schema.layers.map((layer) => `${layer.name}.weight`))
    const changed = [...after].filter(([own, { data }]) => {
      const original = [...before].find(([stored]) =>
        own.endsWith(stored.replace('gamma', 'weight').replace('beta', 'bias')),
      )
      return original === undefined || String(original[1].data) !== String(data)
    })
    expect(changed.map(([own]) => own).sort()).toEqual(
      [...adapted, ...trained.schema.head.map((spec) => spec.name)].sort(),
    )
  })

  it('as ONNX gives the same logits in onnxruntime, of what a tokenizer gives', async () => {
    const [path] = await exportOnnx(join(folder, name, 'onnx'), checkpoint, trained)
    const session = await InferenceSession.create(path!)
    expect(session.outputNames).toEqual(['logits'])
    const types = name === 'bert' ? ['token_type_ids'] : []
    expect(session.inputNames).toEqual(['input_ids', 'attention_mask', ...types])
    const length = 6
    const padded = (of: (record: (typeof RECORDS)[number]) => Int32Array) => {
      const data = new BigInt64Array(RECORDS.length * length)
      RECORDS.forEach((record, row) => {
        data.set(Array.from(of(record), BigInt), row * length)
      })
      return new Tensor('int64', data, [RECORDS.length, length])
    }
    const { logits } = await session.run({
      input_ids: padded((record) => record.tokenIds),
      attention_mask: padded((record) => record.tokenIds.map(() => 1)),
      ...(name === 'bert' && { token_type_ids: padded((record) => record.typeIds) }),
    })
    agree(logits!.data as Float32Array)
    await session.release()
  })
})
