import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../files/index.ts'
import { openCheckpoint } from '../weights/huggingface/index.ts'
import { HuggingFaceTokenizer } from './huggingface-tokenizer.ts'
import { encoderApart, type TextLimits } from './text-encoder.ts'

/** Knows one word, behind what its author makes of a text. */
const chosen = (parts: JsonObject): JsonObject => ({
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  model: { type: 'WordLevel', vocab: { '[UNK]': 0, a: 1 }, unk_token: '[UNK]' },
  ...parts,
})
const doubles = (times: number): JsonObject => ({
  type: 'Sequence',
  normalizers: Array.from({ length: times }, () => {
    return { type: 'Replace', pattern: { String: 'Jane' }, content: 'JaneJane' }
  }),
})
const triesForEver = { type: 'Split', pattern: { Regex: 'Jane(x+x+)+y' }, behavior: 'Isolated', invert: false }
const target = `Jane ${'x'.repeat(60)} and Jane${'x'.repeat(60)}`

const withChosen = (parts: JsonObject) => HuggingFaceTokenizer.create(chosen(parts), {}, { isApart: true })

describe('a tokenizer that its author made for one text', () => {
  it('refuses that text alone, where its pattern tries too much', async () => {
    const tokenizer = await withChosen({ pre_tokenizer: triesForEver })
    expect([...(await tokenizer.encode('a', 9))]).toEqual([1])
    await expect(tokenizer.encode(target, 9)).rejects.toThrow('the process that reads texts has ended')
    expect([...(await tokenizer.encode('a', 9))]).toEqual([1])
  })

  it.each<[string, TextLimits]>([
    ['memory', { milliseconds: 60_000, bytes: 100 * 2 ** 20 }],
    ['time', { milliseconds: 1500, bytes: 2 ** 31 }],
  ])('refuses that text alone, where it takes more %s than a text may take', async (_, limits) => {
    // 2^24 times `Jane`, twice: some seconds, and far more memory than the process begins with
    const encode = encoderApart(JSON.stringify(chosen({ normalizer: doubles(24) })), limits)
    const read = async (text: string) => (await encode({ texts: [text], addSpecialTokens: false }))[0]!.ids
    await expect(read(target)).rejects.toThrow('has ended with SIGKILL')
    expect(await read('a')).toEqual([1])
  })

  it('refuses it from a folder of models as well', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'fedsvd-tokenizer-'))
    await writeFile(path.join(folder, 'config.json'), '{"model_type":"bert"}')
    await writeFile(path.join(folder, 'tokenizer.json'), JSON.stringify(chosen({ pre_tokenizer: triesForEver })))
    const tokenizer = await (await openCheckpoint(folder, { isApart: true })).tokenizer()
    await expect(tokenizer.encode(target, 9)).rejects.toThrow('the process that reads texts has ended')
    await rm(folder, { recursive: true })
  })

  it('is refused itself where it ends the process on every text', async () => {
    const always = { ...triesForEver, pattern: { Regex: 'Jane(x+x+)+y' } }
    const normalizer = { type: 'Prepend', prepend: target }
    await expect(withChosen({ normalizer, pre_tokenizer: always })).rejects.toThrow(/CHECKPOINT_INVALID.*has ended/s)
  })
})

it('reads the same apart as here', async () => {
  const [here, apart] = [
    await HuggingFaceTokenizer.create(chosen({})),
    await HuggingFaceTokenizer.create(chosen({}), {}, { isApart: true }),
  ]
  for (const text of ['a', 'b', '']) expect(await apart.encode(text, 9)).toEqual(await here.encode(text, 9))
  expect(await apart.encodePair('a', 'b', 2)).toEqual(await here.encodePair('a', 'b', 2))
  expect(await apart.encodeWords(['a', 'b', 'a'], 2)).toEqual(await here.encodeWords(['a', 'b', 'a'], 2))
})
