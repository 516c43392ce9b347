import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { NamedTensor } from '@fedsvd/core/tensor'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openCheckpoint } from '../checkpoint/index.ts'
import { modelStore } from '../models/index.ts'
import { decodeSafetensors, encodeSafetensors } from '../safetensors/index.ts'
import { proveCheckpoint } from './prove-checkpoint.ts'

/*
 * Checkpoints that people really have. Each fault is made in a whole BERT, which is proved first.
 */

let models: string
let folder: string
beforeEach(async () => {
  models = mkdtempSync(join(tmpdir(), 'fedsvd-prove-'))
  folder = join(models, 'bert')
  await cp(fileURLToPath(new URL('./vectors/encoders/bert', import.meta.url)), folder, { recursive: true })
})
afterEach(() => rmSync(models, { recursive: true }))

const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder, name), content)
const changeConfig = (change: object) => {
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as object
  write('config.json', JSON.stringify({ ...config, ...change }))
}
const changeTensors = (change: (tensors: readonly NamedTensor[]) => readonly NamedTensor[]) => {
  const { tensors } = decodeSafetensors(readFileSync(join(folder, 'model.safetensors')))
  write('model.safetensors', encodeSafetensors(change(tensors)))
}
const prove = async () => await proveCheckpoint(await modelStore({ models }).open({ name: 'bert' }))

const withHeader = (header: string, payload: number): Uint8Array => {
  const json = new TextEncoder().encode(header)
  const bytes = new Uint8Array(8 + json.length + payload)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true)
  bytes.set(json, 8)
  return bytes
}

describe('a checkpoint is proved by a made-up record', () => {
  it('a whole one', async () => {
    await expect(prove()).resolves.toBeUndefined()
  })

  const named = (part: string) => (name: string) => name.includes(part)
  it.each<[string, () => void | Promise<void>, RegExp]>([
    [
      'a tensor that is missing',
      () => changeTensors((all) => all.filter(({ name }) => !named('layer.1.output.dense.weight')(name))),
      /a tensor "bert.encoder.layer.1.output.dense.weight" of shape .*got no such tensor/,
    ],
    [
      'no pooler',
      () => changeTensors((all) => all.filter(({ name }) => !named('pooler')(name))),
      /a tensor "bert.pooler.dense.weight"/,
    ],
    [
      'a tensor of another shape',
      () =>
        changeTensors((all) =>
          all.map((tensor) =>
            named('self.query.weight')(tensor.name) ? { ...tensor, shape: [1, tensor.data.length] } : tensor,
          ),
        ),
      /self.query.weight" of shape .*got shape/,
    ],
    [
      'NaN among the weights',
      () =>
        changeTensors((all) =>
          all.map((tensor, at) => (at === 3 ? { ...tensor, data: tensor.data.map(() => Number.NaN) } : tensor)),
        ),
      /finite values in the tensor .*got NaN or infinity/,
    ],
    [
      'a vocab_size below the tokenizer',
      () => changeConfig({ vocab_size: 3 }),
      /a vocab_size in config.json of at least/,
    ],
    [
      'fewer positions than config.json says',
      () => changeConfig({ max_position_embeddings: 4096 }),
      /position_embeddings/,
    ],
    [
      'quantised weights',
      () => changeConfig({ quantization_config: { quant_method: 'gptq', bits: 4 } }),
      /weights that are not quantised in config.json, got "quantization_config gptq"/,
    ],
    [
      'an architecture that is not supported, with the list of those that are',
      () => changeConfig({ model_type: 'deberta-v2' }),
      /a model_type among bert, roberta, xlm-roberta, distilbert, gpt2, llama, mistral, qwen2 in config.json, got "deberta-v2"/,
    ],
    [
      "names of torch's DataParallel",
      () => changeTensors((all) => all.map((tensor) => ({ ...tensor, name: `module.${tensor.name}` }))),
      /"module\..*of a model inside a wrapper. Save the model inside: model.module.save_pretrained/,
    ],
    [
      'names of torch.compile',
      () => changeTensors((all) => all.map((tensor) => ({ ...tensor, name: `_orig_mod.${tensor.name}` }))),
      /model._orig_mod.save_pretrained/,
    ],
    [
      'a git-lfs pointer',
      () => write('model.safetensors', 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 440449768\n'),
      /a safetensors file in .*got a git-lfs pointer in place of the file. Run `git lfs pull`/,
    ],
    [
      'a web page',
      () => write('model.safetensors', '<!doctype html><html><head><title>401</title></head></html>'),
      /a safetensors file in .*got a web page/,
    ],
    ['a web page as config.json', () => write('config.json', '\n<html></html>'), /a JSON object in .*got a web page/],
    ['a web page as tokenizer.json', () => write('tokenizer.json', '<html></html>'), /tokenizer.json, got a web page/],
    [
      'null as header',
      () => write('model.safetensors', withHeader('null', 0)),
      /a JSON object as header in .*got null/,
    ],
    [
      'a tensor named twice',
      () => {
        const entry = '"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
        write('model.safetensors', withHeader(`{${entry},${entry}}`, 4))
      },
      /each tensor and each member once in the header in .*got "x" twice/,
    ],
    [
      'two tensors with the same bytes',
      () => {
        const entry = (name: string) => `"${name}":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`
        write('model.safetensors', withHeader(`{${entry('x')},${entry('y')}}`, 4))
      },
      /bytes of y that no other tensor has in .*got an overlap of 4 bytes/,
    ],
    [
      'bytes that no tensor has',
      () => write('model.safetensors', withHeader('{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', 8)),
      /a gap of 4 bytes/,
    ],
    ['more bytes than the header says', () => write('model.safetensors', withHeader('{}', 3)), /as its header says/],
    [
      'no tokenizer.json',
      () => {
        rmSync(join(folder, 'tokenizer.json'))
        write('vocab.txt', '[PAD]')
      },
      /tokenizer.json in .*got only vocab.txt. Make it once: AutoTokenizer.from_pretrained/,
    ],
    [
      'pickled tensors only',
      () => {
        rmSync(join(folder, 'model.safetensors'))
        write('pytorch_model.bin', 'PK')
      },
      /model.safetensors, or its shards.* Load pytorch_model.bin in Transformers/,
    ],
  ])('refuses %s', async (_, damage, message) => {
    await damage()
    await expect(prove()).rejects.toThrow(message)
    await expect(prove()).rejects.toMatchObject({ code: 'CHECKPOINT_INVALID' })
  })

  it.each(['roberta', 'xlm-roberta', 'distilbert'])('a whole %s', async (name) => {
    const path = fileURLToPath(new URL(`./vectors/encoders/${name}`, import.meta.url))
    await expect(openCheckpoint(path).then(proveCheckpoint)).resolves.toBeUndefined()
  })
})
