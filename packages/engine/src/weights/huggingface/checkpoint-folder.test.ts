import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { wordPieceTokenizer } from '@fedsvd/testing/engine/tokenizers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encodeSafetensors } from '../safetensors/index.ts'
import { openCheckpoint } from './checkpoint-folder.ts'
import { identityOf, requireSame } from './identity.ts'

const A = { name: 'a', shape: [2], data: Float32Array.of(1, -2) }
const B = { name: 'b', shape: [1, 2], data: Float32Array.of(0.5, 3) }

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedsvd-checkpoint-'))
  await write('config.json', { model_type: 'bert' })
  await write('tokenizer.json', wordPieceTokenizer(['a']))
})
afterEach(() => rm(folder, { recursive: true }))

const write = (name: string, content: object | Uint8Array | string): Promise<void> =>
  writeFile(
    join(folder, name),
    typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content),
  )

const PLACES = { a: 'model-00002-of-00002.safetensors', b: 'model-00001-of-00002.safetensors' }
const inShards = async (): Promise<void> => {
  await write('model-00001-of-00002.safetensors', encodeSafetensors([B]))
  await write('model-00002-of-00002.safetensors', encodeSafetensors([A]))
  await write('model.safetensors.index.json', { weight_map: PLACES })
}

describe('a checkpoint folder', () => {
  it('has a config, tensors and a tokenizer', async () => {
    await write('model.safetensors', encodeSafetensors([A, B]))
    const checkpoint = await openCheckpoint(folder)
    expect(checkpoint.modelType).toBe('bert')
    expect(await checkpoint.tensors()).toEqual(
      new Map([
        ['a', A],
        ['b', B],
      ]),
    )
    expect([...(await checkpoint.tensors((name) => name === 'b')).keys()]).toEqual(['b'])
    expect((await checkpoint.tokenizer()).vocabularySize).toBe(6)
  })

  it('may have its tensors in shards', async () => {
    await inShards()
    expect(await (await openCheckpoint(folder)).tensors()).toEqual(
      new Map([
        ['b', B],
        ['a', A],
      ]),
    )
  })

  it.each<[string, () => Promise<void>, RegExp]>([
    ['no config', () => rm(join(folder, 'config.json')), /a readable file .*config.json, got nothing there/],
    ['a config that is no object', () => write('config.json', '[]'), /a JSON object in .*config.json/],
    ['a config without a type', () => write('config.json', {}), /a model_type in .*config.json, got no model_type/],
    [
      'pickled tensors only',
      () => write('pytorch_model.bin', ''),
      /model.safetensors or .*index.json.*neither.*\(\.bin\) are not read/,
    ],
    ['an index without files', () => write('model.safetensors.index.json', {}), /a weight_map .*got none/],
    [
      'an index that leads elsewhere',
      () => write('model.safetensors.index.json', { weight_map: { a: '../x.safetensors' } }),
      /got \.\.\/x/,
    ],
    [
      'an adapter of PEFT',
      async () => {
        await rm(join(folder, 'config.json'))
        await write('adapter_config.json', {})
      },
      /a checkpoint in .*got an adapter of PEFT.*merge_and_unload/,
    ],
    [
      'a shard too few',
      () => write('model.safetensors.index.json', { weight_map: { a: 'x.safetensors' } }),
      /x.safetensors, got nothing there/,
    ],
  ])('is refused with %s', async (_, change, message) => {
    await change()
    await expect(openCheckpoint(folder).then((checkpoint) => checkpoint.tensors())).rejects.toThrow(message)
  })

  it.each([
    [{ ...PLACES, c: PLACES.a }, /the tensor c in model-00002-.*as .*index.json says.* got no such tensor/],
    [{ a: PLACES.b, b: PLACES.a }, /the tensor b in model-00002-.*got it is in model-00001-/],
  ])('is refused where the index says another place than that of a tensor: %j', async (weight_map, message) => {
    await inShards()
    await write('model.safetensors.index.json', { weight_map })
    await expect((await openCheckpoint(folder)).tensors()).rejects.toThrow(message)
  })

  it('is refused where two shards have one tensor', async () => {
    await inShards()
    await write('model-00001-of-00002.safetensors', encodeSafetensors([A]))
    await write('model.safetensors.index.json', { weight_map: { b: PLACES.b, c: PLACES.a } })
    await expect((await openCheckpoint(folder)).tensors()).rejects.toThrow(/the tensor a once/)
  })
})

describe('the identity of a checkpoint', () => {
  it('is the same for one file and for shards, and whatever else lies in the folder', async () => {
    await write('model.safetensors', encodeSafetensors([A, B], { note: 'one' }))
    const whole = await identityOf(folder)
    await rm(join(folder, 'model.safetensors'))
    await inShards()
    await write('README.md', 'nothing of the model')
    expect(await identityOf(folder)).toEqual(whole)
  })

  it.each<[keyof Awaited<ReturnType<typeof identityOf>>, string, object | Uint8Array]>([
    ['config', 'config.json', { model_type: 'bert', hidden_size: 2 }],
    ['tensors', 'model.safetensors', encodeSafetensors([A, { ...B, data: Float32Array.of(0.5, 3.0000002) }])],
    ['tensors', 'model.safetensors', encodeSafetensors([A, { ...B, shape: [2, 1] }])],
    ['tokenizer', 'tokenizer.json', wordPieceTokenizer(['b'])],
    ['tokenizer', 'tokenizer_config.json', { do_lower_case: false }],
  ])('changes in its %s with %s', async (part, name, content) => {
    await write('model.safetensors', encodeSafetensors([A, B]))
    const before = await identityOf(folder)
    await write(name, content)
    const after = await identityOf(folder)
    expect({ ...after, [part]: before[part] }).toEqual(before)
    expect(() => requireSame('tiny', before, after)).toThrow(
      `the ${part} of "tiny" with SHA-256 ${before[part]}, got ${after[part]}`,
    )
    requireSame('tiny', after, await identityOf(folder))
  })
})
