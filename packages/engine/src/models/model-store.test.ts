import { cp, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { initialState } from '@fedsvd/core/lora'
import { encoderConfig } from '@fedsvd/core/models'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encoderSchema } from '../training/index.ts'
import { openCheckpoint } from '../weights/huggingface/index.ts'
import { encodeSafetensors } from '../weights/safetensors/index.ts'
import { parseModelName } from './model-name.ts'
import { modelStore } from './model-store.ts'
import { checkpointHead } from './trained-head.ts'

const TINY = fileURLToPath(new URL('../training/vectors/encoders/bert', import.meta.url))

let models: string
beforeEach(async () => {
  models = await mkdtemp(join(tmpdir(), 'fedsvd-models-'))
})
afterEach(() => rm(models, { recursive: true }))

describe('names of models', () => {
  it.each([
    ['my-bert', { repository: 'my-bert' }],
    ['lab/my_bert.v2', { repository: 'lab/my_bert.v2' }],
    ['lab/my-bert@main', { repository: 'lab/my-bert', revision: 'main' }],
  ])('%s', (name, expected) => {
    expect(parseModelName(name)).toEqual(expected)
  })

  it.each(['..', '../x', '/etc', 'a/../b', 'a//b', 'a/b/c', 'a\\b', '.hidden', 'a@../b', 'a@', '', 'a\0'])(
    '%j is none',
    (name) => {
      expect(() => parseModelName(name)).toThrow(/^CONFIG_INVALID: expected a model name/)
    },
  )
})

describe('the model folder', () => {
  it('finds a checkpoint by name, with or without its commit', async () => {
    await cp(TINY, join(models, 'lab/bert'), { recursive: true })
    const store = modelStore({ models })
    expect((await store.open({ name: 'lab/bert' })).folder).toBe(join(models, 'lab/bert'))
    const named = await store.open({ name: 'lab/bert@v1' })
    expect(named).toMatchObject({ name: 'lab/bert@v1', folder: join(models, 'lab/bert'), isComplete: true })
  })

  it('knows the names of what lies there, and nothing that is no checkpoint or has no name for one', async () => {
    for (const name of ['bert', 'lab/bert', 'lab/bert@v1', '.hidden', 'lab/deep/er', 'a..b']) {
      await cp(join(TINY, 'config.json'), join(models, name, 'config.json'))
    }
    await writeFile(join(models, 'notes.txt'), 'no model')
    expect(await modelStore({ models }).names()).toEqual(['bert', 'lab/bert', 'lab/bert@v1'])
    expect(await modelStore({ models: join(models, 'nowhere') }).names()).toEqual([])
  })

  it('sees that a file was changed behind its back', async () => {
    await cp(TINY, join(models, 'bert'), { recursive: true })
    const store = modelStore({ models })
    const checkpoint = await (await store.open({ name: 'bert' })).identity()
    await store.open({ name: 'bert', checkpoint })
    const file = join(models, 'bert', 'tokenizer_config.json')
    await writeFile(file, '{ "do_lower_case": fals }\n')
    await utimes(file, 1, 1)
    await expect(store.open({ name: 'bert', checkpoint })).rejects.toThrow(/the tokenizer of "bert"/)
  })

  it('takes config.json alone where a schema is all that is wanted, and only if it is the right one', async () => {
    await cp(join(TINY, 'config.json'), join(models, 'bert', 'config.json'))
    const store = modelStore({ models })
    const whole = await modelStore({ models: join(TINY, '..') }).open({ name: 'bert' })
    const checkpoint = await whole.identity()
    expect((await store.open({ name: 'bert', checkpoint }, 'config')).isComplete).toBe(false)
    await expect(store.open({ name: 'bert', checkpoint })).rejects.toThrow(
      /model.safetensors, or its shards and their index, in .*got config.json. Copy the whole checkpoint/,
    )
    const other = { ...checkpoint, config: '0'.repeat(64) }
    await expect(store.open({ name: 'bert', checkpoint: other }, 'config')).rejects.toThrow(/the config of "bert"/)
  })
})

describe('the head that a checkpoint was trained with', () => {
  const weight = { name: 'classifier.weight', shape: [2, 32], data: Float32Array.from({ length: 64 }, (_, at) => at) }
  const bias = { name: 'classifier.bias', shape: [2], data: Float32Array.of(10, 20) }
  const head = async (
    tensors: Parameters<typeof encodeSafetensors>[0],
    labels: readonly string[],
    featureScale = 1,
  ) => {
    await cp(TINY, models, { recursive: true })
    await writeFile(join(models, 'model.safetensors'), encodeSafetensors(tensors))
    const checkpoint = await openCheckpoint(models)
    const config = { ...checkpoint.config, id2label: { 0: 'NEG', 1: 'POS' } }
    const schema = encoderSchema(encoderConfig(config), {
      rank: 1,
      alpha: 1,
      headMode: 'trained',
      classes: labels.length,
    })
    const found = await checkpointHead({ ...checkpoint, config }, { schema, labels, featureScale })
    return found && initialState(schema, { seed: 'x', head: found }).head
  }

  it('is where a run on the same classes starts', async () => {
    expect(await head([weight, bias], ['NEG', 'POS'])).toEqual([weight, bias])
    expect(await head([weight, bias], ['no', 'yes'])).toEqual([weight, bias])
  })

  it("is put into the order of the run's labels", async () => {
    const [turned, shifted] = (await head([weight, bias], ['POS', 'NEG']))!
    expect([...turned!.data]).toEqual([...weight.data.slice(32), ...weight.data.slice(0, 32)])
    expect([...shifted!.data]).toEqual([20, 10])
  })

  it('is divided by what will multiply its input', async () => {
    const [scaled, same] = (await head([weight, bias], ['NEG', 'POS'], 4))!
    expect([...scaled!.data]).toEqual([...weight.data].map((value) => value / 4))
    expect(same).toEqual(bias)
  })

  it('is not taken for another number of classes, or where a part of it is missing', async () => {
    expect(await head([weight, bias], ['a', 'b', 'c'])).toBeUndefined()
    expect(await head([weight], ['NEG', 'POS'])).toBeUndefined()
  })
})
