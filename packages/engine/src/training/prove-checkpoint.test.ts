import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { NamedTensor } from '@fedsvd/core/tensor'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { modelStore } from '../models/index.ts'
import { openCheckpoint } from '../weights/huggingface/index.ts'
import { decodeSafetensors, encodeSafetensors } from '../weights/safetensors/index.ts'
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
/** Adds a tensor of any element type behind the others, in place of one of its name. */
const addTensor = (name: string, dtype: string, shape: readonly number[], payload: Uint8Array) => {
  const file = readFileSync(join(folder, 'model.safetensors'))
  const length = Number(file.readBigUInt64LE())
  const header = JSON.parse(file.subarray(8, 8 + length).toString()) as Record<string, { data_offsets: number[] }>
  const body = file.subarray(8 + length)
  const known = header[name]
  if (known !== undefined) {
    header[`${name}.former`] = known
    delete header[name]
  }
  const entry = { dtype, shape, data_offsets: [body.length, body.length + payload.length] }
  const json = Buffer.from(JSON.stringify({ ...header, [name]: entry }))
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(json.length))
  write('model.safetensors', Buffer.concat([size, json, body, payload]))
}
const QUERY = 'bert.encoder.layer.0.attention.self.query'
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
    ...['awq', 'bitsandbytes', 'fp8', undefined].map((method): [string, () => void, RegExp] => [
      `weights quantised by ${method}`,
      () => changeConfig({ quantization_config: { ...(method && { quant_method: method }), bits: 4 } }),
      new RegExp(`not quantised in config.json, got "quantization_config ${method ?? 'of an unnamed method'}"`),
    ]),
    ...(
      [
        ['GPTQ', `${QUERY}.qweight`, 'I32', [2], 8],
        ['AWQ', `${QUERY}.qzeros`, 'I32', [2], 8],
        ['bitsandbytes, 8 bits,', `${QUERY}.weight`, 'I8', [2, 2], 4],
        ['bitsandbytes, 4 bits,', `${QUERY}.weight`, 'U8', [4, 1], 4],
        ['bitsandbytes, 4 bits,', `${QUERY}.weight.absmax`, 'U8', [4], 4],
      ] as const
    ).map(([method, name, dtype, shape, bytes]): [string, () => void, RegExp] => [
      `weights as ${method} calls them, whatever config.json says: ${name}`,
      () => addTensor(name, dtype, shape, new Uint8Array(bytes)),
      new RegExp(`weights that are not quantised, got the tensor ${name.replaceAll('.', '\\.')} of type ${dtype}`),
    ]),
    ...['F8_E4M3', 'F8_E5M2'].map((dtype): [string, () => void, RegExp] => [
      `weights of type ${dtype}`,
      () => addTensor(`${QUERY}.weight`, dtype, [2, 2], new Uint8Array(4)),
      new RegExp(`query.weight as one of F64, F32, .* got ${dtype}. Save the checkpoint in float32`),
    ]),
    [
      'float64 beyond float32',
      () => addTensor(`${QUERY}.bias`, 'F64', [1], new Uint8Array(Float64Array.of(1e300).buffer)),
      /finite values in the tensor .*query.bias/,
    ],
    [
      'infinity among the weights',
      () =>
        changeTensors((all) =>
          all.map((tensor, at) =>
            at === 5 ? { ...tensor, data: tensor.data.with(0, Number.POSITIVE_INFINITY) } : tensor,
          ),
        ),
      /finite values in the tensor/,
    ],
    ['a width that the tensors do not have', () => changeConfig({ hidden_size: 1024 }), /of shape .*1024.*got shape/],
    ['more layers than there are', () => changeConfig({ num_hidden_layers: 99 }), /layer\.\d+\..*got no such tensor/],
    ['a vocab_size above the table', () => changeConfig({ vocab_size: 99_999 }), /word_embeddings.*\[99999.*got shape/],
    ['no vocab_size', () => changeConfig({ vocab_size: undefined }), /a positive integer as vocab_size/],
    [
      'a file that was cut short',
      () => write('model.safetensors', readFileSync(join(folder, 'model.safetensors')).subarray(0, -1)),
      /bytes for .*the range/,
    ],
    [
      'names of PEFT',
      () => changeTensors((all) => all.map((tensor) => ({ ...tensor, name: `base_model.model.${tensor.name}` }))),
      /"base_model\.model\..*of a model inside a wrapper. Merge the adapter of PEFT first/,
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

  it('without a pooler, for tags of words, which need none', async () => {
    changeTensors((all) => all.filter(({ name }) => !named('pooler')(name)))
    const checkpoint = await modelStore({ models }).open({ name: 'bert' })
    await expect(proveCheckpoint(checkpoint, 'token-classification')).resolves.toBeUndefined()
    await expect(proveCheckpoint(checkpoint)).rejects.toThrow('pooler')
  })

  it('in float64, with integers that are no weights and tensors that nothing needs', async () => {
    const { tensors } = decodeSafetensors(readFileSync(join(folder, 'model.safetensors')))
    const query = tensors.find(({ name }) => name === `${QUERY}.weight`)!
    addTensor(query.name, 'F64', query.shape, new Uint8Array(Float64Array.from(query.data).buffer))
    addTensor('bert.embeddings.position_ids', 'I64', [1, 2], new Uint8Array(16))
    addTensor('lm.extra.weight', 'F32', [1], new Uint8Array(4))
    await expect(prove()).resolves.toBeUndefined()
  })

  it.each([
    [{ max_position_embeddings: 2 }, /a pad_token_id from 0 to 0, below max_position_embeddings.*got 1/],
    [{ pad_token_id: -1 }, /a pad_token_id from 0 to .*got -1/],
    [{ pad_token_id: 0.5 }, /a pad_token_id from 0 to/],
  ])('refuses a RoBERTa without positions for a text: %j', async (change, message) => {
    await cp(fileURLToPath(new URL('./vectors/encoders/roberta', import.meta.url)), folder, { recursive: true })
    changeConfig(change)
    await expect(prove()).rejects.toThrow(message)
  })

  it.each(['roberta', 'xlm-roberta', 'distilbert'])('a whole %s', async (name) => {
    const path = fileURLToPath(new URL(`./vectors/encoders/${name}`, import.meta.url))
    await expect(openCheckpoint(path).then(proveCheckpoint)).resolves.toBeUndefined()
  })
})
