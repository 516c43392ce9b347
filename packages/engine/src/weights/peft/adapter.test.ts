import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AdapterSchema, AdapterState } from '@fedsvd/core/lora'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeSafetensors } from '../safetensors/index.ts'
import { readAdapter, writeAdapter } from './adapter.ts'

const schema: AdapterSchema = {
  rank: 1,
  alpha: 2,
  headMode: 'trained',
  layers: [{ name: 'encoder.layer.0.attention.qkv', dIn: 2, dOut: 3 }],
  head: [
    { name: 'classifier.weight', shape: [2, 2] },
    { name: 'classifier.bias', shape: [2] },
  ],
}
const state: AdapterState = {
  basis: 4,
  a: [{ name: 'encoder.layer.0.attention.qkv.lora_A.weight', shape: [1, 2], data: Float32Array.of(0.6, 0.8) }],
  b: [{ name: 'encoder.layer.0.attention.qkv.lora_B.weight', shape: [3, 1], data: Float32Array.of(1, 2, 3) }],
  head: [
    { name: 'classifier.weight', shape: [2, 2], data: Float32Array.of(1, 0, 0, 1) },
    { name: 'classifier.bias', shape: [2], data: Float32Array.of(-1, 1) },
  ],
}
const description = { schema, baseModel: 'starter', labels: ['ham', 'spam'], metadata: { round: '4' } }

describe('the PEFT adapter', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fedsvd-peft-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('comes back as it was', async () => {
    await writeAdapter(folder, state, description)
    expect(await readAdapter(folder, schema, 4)).toEqual(state)
  })

  it("carries PEFT's names, scaling and modules to save", async () => {
    const [weights, config] = await writeAdapter(folder, state, description)
    const { tensors, metadata } = decodeSafetensors(await readFile(weights!))
    expect(tensors.map(({ name }) => name)).toEqual([
      'base_model.model.encoder.layer.0.attention.qkv.lora_A.weight',
      'base_model.model.encoder.layer.0.attention.qkv.lora_B.weight',
      'base_model.model.classifier.weight',
      'base_model.model.classifier.bias',
    ])
    expect(metadata).toEqual({ format: 'pt', round: '4', labels: '["ham","spam"]' })
    expect(JSON.parse(await readFile(config!, 'utf8'))).toMatchObject({
      peft_type: 'LORA',
      r: 1,
      lora_alpha: 2,
      target_modules: ['encoder.layer.0.attention.qkv'],
      modules_to_save: ['classifier'],
    })
  })

  it('is refused where the schema asks for something else', async () => {
    await writeAdapter(folder, state, description)
    const other = { ...schema, layers: [{ name: 'other', dIn: 2, dOut: 3 }] }
    await expect(readAdapter(folder, other)).rejects.toThrow(/ADAPTER_INVALID/)
  })
})
