import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { initialState, specOfB } from '@fedsvd/core/lora'
import { decoderConfig } from '@fedsvd/core/models'
import { tinyGpt2Checkpoint, waveNamed } from '@fedsvd/testing/core/models'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exportMerged, exportOnnx } from '../export/index.ts'
import { modelStore } from '../models/index.ts'
import type { Tokenizer } from '../tokenizers/index.ts'
import { checkpointSchema, type TargetedRecord } from '../training/index.ts'
import { openCheckpoint } from '../weights/huggingface/index.ts'
import { encodeSafetensors } from '../weights/safetensors/index.ts'
import { evaluateModel, type ModelInUse, openModel, type TokenEvaluation, writeOn } from './index.ts'

const END = 9

/** Digits are their own ids, and the model counts on. */
function counting(places = 100): ModelInUse & { readonly asked: (readonly number[])[] } {
  const asked: (readonly number[])[] = []
  const ids = (text: string) => Int32Array.from(text.replace(/\D/g, ''), Number)
  const tokenizer: Tokenizer = {
    vocabularySize: 10,
    endId: END,
    encode: async (text) => ids(text),
    encodeBeginning: async (text) => ids(text),
    decode: async (tokens) => tokens.join(''),
  }
  const scores = async (records: readonly TargetedRecord[]) =>
    records.map(({ tokenIds, targets }) => {
      asked.push([...tokenIds])
      expect(targets.filter((target) => target >= 0)).toHaveLength(1)
      return { losses: Float32Array.of(0), predicted: Int32Array.of((tokenIds.at(-1)! + 1) % 10) }
    })
  const scorer = { scores, [Symbol.asyncDispose]: async () => {} }
  const model = { name: 'counting', task: 'causal-lm', labels: [], maxTokens: 8, places } as const
  return { ...model, tokenizer, scorer, asked, [Symbol.asyncDispose]: async () => {} }
}

describe('writing on behind a prompt', () => {
  it('takes the most likely token, one after the other, until the text is over', async () => {
    expect(await writeOn(counting(), '5', { maxNewTokens: 50 })).toEqual({
      text: '678',
      promptTokens: 1,
      newTokens: 3,
      finish: 'stop',
    })
  })

  it('writes as much as is asked for, and as there are places', async () => {
    expect(await writeOn(counting(), '01', { maxNewTokens: 2 })).toMatchObject({ text: '23', finish: 'length' })
    // the prompt loses its beginning where there is no place for what is to be written
    expect(await writeOn(counting(6), '0123', { maxNewTokens: 4 })).toMatchObject({ text: '4567', promptTokens: 2 })
    expect(await writeOn(counting(4), '0123', { maxNewTokens: 50 })).toMatchObject({ text: '456', promptTokens: 1 })
  })

  it('ends when it is told to, between two tokens', async () => {
    const model = counting()
    await expect(writeOn(model, '1', { maxNewTokens: 5, signal: AbortSignal.abort() })).rejects.toThrow(/abort/)
    expect(model.asked).toEqual([])
  })

  it('refuses a prompt without a token, and a model that writes nothing', async () => {
    await expect(writeOn(counting(), 'abc', { maxNewTokens: 5 })).rejects.toThrow(/DATA_EMPTY/)
    const classifier = { ...counting(), task: 'token-classification' } as const
    await expect(writeOn(classifier, '1', { maxNewTokens: 5 })).rejects.toThrow(/CONFIG_INVALID/)
  })
})

describe('a language model that was exported', () => {
  const WORDS = '<unk> the a film plot was is good bad <end> dull bright very and long so it he end'.split(' ')
  const CONFIG = { model_type: 'gpt2', vocab_size: 19, n_embd: 8, n_layer: 2, n_head: 2, n_positions: 32, n_inner: 16 }
  let folder: string
  const terms = { models: modelStore({ models: 'none' }), runtime: { threads: 1 } }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fedsvd-writing-'))
    const base = join(folder, 'base')
    await mkdir(base)
    const vocab = Object.fromEntries(WORDS.map((word, id) => [word, id]))
    const tokenizer = {
      version: '1.0',
      added_tokens: [
        {
          id: 9,
          content: '<end>',
          special: true,
          single_word: false,
          lstrip: false,
          rstrip: false,
          normalized: false,
        },
      ],
      pre_tokenizer: { type: 'WhitespaceSplit' },
      model: { type: 'WordLevel', vocab, unk_token: '<unk>' },
    }
    await writeFile(join(base, 'tokenizer.json'), JSON.stringify(tokenizer))
    await writeFile(join(base, 'tokenizer_config.json'), JSON.stringify({ eos_token: '<end>' }))
    await writeFile(join(base, 'config.json'), JSON.stringify(CONFIG))
    const { sizes } = decoderConfig(CONFIG) as Extract<ReturnType<typeof decoderConfig>, { family: 'gpt2' }>
    await writeFile(join(base, 'model.safetensors'), encodeSafetensors([...tinyGpt2Checkpoint(sizes).values()]))
    const checkpoint = await openCheckpoint(base)
    const schema = checkpointSchema(CONFIG, { task: 'causal-lm', rank: 2, alpha: 4, headMode: 'trained', classes: 0 })
    const initial = initialState(schema, { seed: 'write' })
    const b = schema.layers.map((layer, index) => waveNamed(index + 3, specOfB(schema, layer), 0.4))
    const trained = { task: 'causal-lm', schema, state: { ...initial, b }, labels: [], maxTokens: 8 } as const
    await exportMerged(join(folder, 'merged'), checkpoint, trained)
    await exportOnnx(join(folder, 'onnx'), checkpoint, trained)
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('writes the same from its weights and from its graph, beyond the length it was trained with', async () => {
    await using merged = await openModel(join(folder, 'merged'), terms)
    await using onnx = await openModel(join(folder, 'onnx'), terms)
    expect(merged).toMatchObject({ task: 'causal-lm', maxTokens: 8, places: 32 })
    const written = await writeOn(merged, 'the film was', { maxNewTokens: 20 })
    expect(await writeOn(onnx, 'the film was', { maxNewTokens: 20 })).toEqual(written)
    expect(written.promptTokens).toBe(3)
    expect(written.newTokens).toBeGreaterThan(5)
    expect(written.text).not.toContain('the film was')
    expect(written.finish === 'stop' || written.newTokens === 20).toBe(true)
  })

  it('has one perplexity', async () => {
    const records = ['the film was good', 'a dull and very long plot'].map((text) => ({
      task: 'causal-lm' as const,
      text,
    }))
    const found: TokenEvaluation[] = []
    for (const name of ['merged', 'onnx']) {
      await using model = await openModel(join(folder, name), terms)
      found.push((await evaluateModel(model, records)) as TokenEvaluation)
    }
    const [first, second] = found
    expect(first!.tokens).toBe(3 + 1 + 5 + 1)
    expect(first!.perplexity).toBeCloseTo(Math.exp(first!.loss), 9)
    expect(second!.loss).toBeCloseTo(first!.loss, 4)
  })
})
