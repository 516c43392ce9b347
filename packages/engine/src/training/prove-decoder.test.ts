import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Task } from '@fedsvd/core/lora'
import { type ConfigFields, decoderConfig } from '@fedsvd/core/models'
import type { NamedTensor } from '@fedsvd/core/tensor'
import { tinyGpt2Checkpoint, tinyLlamaCheckpoint } from '@fedsvd/testing/core/models'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openCheckpoint } from '../weights/huggingface/index.ts'
import { encodeSafetensors } from '../weights/safetensors/index.ts'
import { proveCheckpoint } from './prove-checkpoint.ts'

/*
 * Decoders as people really save them: tied or not, with and without output embeddings, in shards, inside wrappers.
 */

const TOKENIZER = fileURLToPath(new URL('./vectors/encoders/bert/tokenizer.json', import.meta.url))
const VOCABULARY = 64
const LLAMA = {
  model_type: 'llama',
  vocab_size: VOCABULARY,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 32,
}
const TIED = { ...LLAMA, tie_word_embeddings: true }
const GPT2 = { model_type: 'gpt2', vocab_size: VOCABULARY, n_embd: 8, n_layer: 2, n_head: 2, n_positions: 32 }
const OUTPUT = 'lm_head.weight'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedsvd-prove-decoder-'))
  writeFileSync(join(folder, 'tokenizer.json'), readFileSync(TOKENIZER))
})
afterEach(() => rmSync(folder, { recursive: true }))

function tensorsOf(config: ConfigFields): NamedTensor[] {
  const { family, sizes, tied } = decoderConfig(config)
  return [...(family === 'llama' ? tinyLlamaCheckpoint(sizes, tied) : tinyGpt2Checkpoint(sizes)).values()]
}
const write = (config: ConfigFields, tensors: readonly NamedTensor[]): void => {
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  writeFileSync(join(folder, 'model.safetensors'), encodeSafetensors(tensors))
}
/** Two shards, as an index says; `change` may make it say something else. */
const writeShards = (tensors: readonly NamedTensor[], change: (map: Record<string, string>) => void = () => {}) => {
  writeFileSync(join(folder, 'config.json'), JSON.stringify(TIED))
  const nameOf = (at: number) => `model-0000${1 + (at % 2)}-of-00002.safetensors`
  const map = Object.fromEntries(tensors.map(({ name }, at) => [name, nameOf(at)]))
  for (const shard of [0, 1]) {
    const own = tensors.filter((_, at) => at % 2 === shard)
    writeFileSync(join(folder, nameOf(shard)), encodeSafetensors(own))
  }
  change(map)
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }))
}
const prove = async (task: Task) => await proveCheckpoint(await openCheckpoint(folder), task)
const proveBoth = async () => {
  await prove('sequence-classification')
  await prove('causal-lm')
}
const output = (config: ConfigFields, change: (value: number) => number): NamedTensor => {
  const table = tensorsOf(config).find(({ name }) => /(embed_tokens|wte)\.weight$/.test(name))!
  return { ...table, name: OUTPUT, data: table.data.map(change) }
}
const renamed = (tensors: readonly NamedTensor[], name: (name: string) => string) =>
  tensors.map((tensor) => ({ ...tensor, name: name(tensor.name) }))

describe('a decoder that can be trained', () => {
  const bare = (name: string) => name.replace(/^(model|transformer)\./, '')
  it.each<[string, ConfigFields, readonly NamedTensor[]]>([
    ['untied, with its output embeddings', LLAMA, tensorsOf(LLAMA)],
    ['tied, without any', TIED, tensorsOf(TIED)],
    ['tied, with a copy of the input embeddings', TIED, [...tensorsOf(TIED), output(TIED, (value) => value)]],
    ['tied, with names of the bare model', TIED, renamed(tensorsOf(TIED), bare)],
    ['GPT-2, which is tied unless it says otherwise', GPT2, tensorsOf(GPT2)],
    ['GPT-2 with a copy', GPT2, [...tensorsOf(GPT2), output(GPT2, (value) => value)]],
    ['GPT-2 with names of the bare model', GPT2, renamed(tensorsOf(GPT2), bare)],
  ])('%s', async (_, config, tensors) => {
    write(config, tensors)
    await expect(proveBoth()).resolves.toBeUndefined()
  })

  it('in shards', async () => {
    writeShards(tensorsOf(TIED))
    await expect(proveBoth()).resolves.toBeUndefined()
  })

  it('without output embeddings, for classification alone: a run that predicts tokens is refused by their name', async () => {
    write(
      LLAMA,
      tensorsOf(LLAMA).filter(({ name }) => name !== OUTPUT),
    )
    await expect(prove('sequence-classification')).resolves.toBeUndefined()
    for (const task of ['causal-lm', 'instruction-tuning'] as const)
      await expect(prove(task)).rejects.toThrow(/CHECKPOINT_INVALID: .*"lm_head.weight" of shape .*got no such tensor/)
  })
})

describe('a decoder that is refused', () => {
  it.each<[string, ConfigFields]>([
    ['Llama', TIED],
    ['GPT-2', GPT2],
  ])('%s, tied, with output embeddings of its own: nobody knows which of the two is meant', async (_, config) => {
    write(config, [...tensorsOf(config), output(config, (value) => value + 1)])
    const told = /expected lm_head.weight as .*(embed_tokens|wte).weight, since tie_word_embeddings.*got other values/
    await expect(prove('causal-lm')).rejects.toThrow(told)
    await expect(prove('sequence-classification')).rejects.toThrow(told)
  })

  it('for output embeddings of another shape', async () => {
    const [head] = [{ name: OUTPUT, shape: [VOCABULARY, 4], data: new Float32Array(VOCABULARY * 4) }]
    write(LLAMA, [...tensorsOf(LLAMA).filter(({ name }) => name !== OUTPUT), head])
    await expect(prove('causal-lm')).rejects.toThrow(/"lm_head.weight" of shape \[64, 8\], got shape \[64, 4\]/)
  })

  it.each([
    ['module.', /"module\..*of a model inside a wrapper/],
    ['_orig_mod.', /"_orig_mod\..*of a model inside a wrapper/],
    ['base_model.model.', /"base_model\.model\..*Merge the adapter of PEFT/],
  ])('for names behind %s', async (prefix, told) => {
    write(
      TIED,
      renamed(tensorsOf(TIED), (name) => prefix + name),
    )
    await expect(prove('causal-lm')).rejects.toThrow(told)
  })

  const FIRST = 'model-00001-of-00002.safetensors'
  it.each<[string, () => void, RegExp]>([
    [
      'a shard that is not there',
      () => {
        writeShards(tensorsOf(TIED))
        rmSync(join(folder, FIRST))
      },
      /a readable file .*model-00001-of-00002.safetensors, got nothing there. Copy the whole checkpoint/,
    ],
    [
      'a shard without a tensor of the index',
      () => writeShards(tensorsOf(TIED), (map) => Object.assign(map, { 'model.lost.weight': FIRST })),
      /the tensor model.lost.weight in model-00001-of-00002.safetensors, as .*got no such tensor/,
    ],
    [
      'a tensor in another shard than the index says',
      () => writeShards(tensorsOf(TIED), (map) => Object.assign(map, { [tensorsOf(TIED)[1]!.name]: FIRST })),
      /in model-00001-of-00002.safetensors, as .*got it is in model-00002-of-00002.safetensors/,
    ],
    [
      'a shard outside of the folder',
      () => writeShards(tensorsOf(TIED), (map) => Object.assign(map, { x: '../other.safetensors' })),
      /a weight_map of safetensors files in .*got \.\.\/other/,
    ],
  ])('for %s', async (_, make, told) => {
    make()
    await expect(prove('causal-lm')).rejects.toThrow(told)
  })
})
