import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unigramTokenizer, wordPieceTokenizer } from '@fedsvd/testing/engine/tokenizers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tokenizerHash } from '../weights/huggingface/identity.ts'
import { loadHuggingFaceTokenizer } from './huggingface-tokenizer.ts'

/* What other files than tokenizer.json and tokenizer_config.json say, as AutoTokenizer takes it. */

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedsvd-tokenizer-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

type Json = Record<string, unknown>
const write = (files: Readonly<Record<string, unknown>>) => {
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(content))
}
const idsOf = async (text: string) => [...(await (await loadHuggingFaceTokenizer(folder)).encode(text, 99))]

const bert = wordPieceTokenizer(['Cafe', 'cafe'])
const cased = { ...bert, normalizer: { ...(bert.normalizer as Json), lowercase: false } }
const llama = { ...unigramTokenizer([['▁hello', -1]]), post_processor: null }

describe('the class of a tokenizer', () => {
  it.each<[string, Json, Json | undefined, number]>([
    ['its own', { tokenizer_class: 'PreTrainedTokenizerFast' }, { model_type: 'bert' }, 5],
    ['that of config.json', {}, { model_type: 'bert', tokenizer_class: 'PreTrainedTokenizerFast' }, 5],
    ['that of the model', {}, { model_type: 'bert' }, 6],
    ['none', {}, undefined, 5],
  ])('is %s', async (_, own, config, expected) => {
    write({ tokenizer: cased, tokenizer_config: own, ...(config && { config }) })
    expect(await idsOf('Cafe')).toEqual([2, expected, 3])
  })

  it('without tokenizer.json is no tokenizer', async () => {
    write({ tokenizer_config: { tokenizer_class: 'BertTokenizer' }, config: { model_type: 'bert' } })
    await expect(loadHuggingFaceTokenizer(folder)).rejects.toThrow(/CHECKPOINT_INVALID: expected a tokenizer.json in/)
  })
})

describe('special_tokens_map.json', () => {
  const asked = { add_bos_token: true, add_eos_token: true }

  it('counts for what tokenizer_config.json does not name, and is then part of the identity', async () => {
    write({ tokenizer: llama, tokenizer_config: asked })
    expect(await idsOf('hello')).toEqual([4])
    const without = await tokenizerHash(folder)
    write({ special_tokens_map: { bos_token: '<s>', eos_token: { content: '</s>', lstrip: false } } })
    expect(await idsOf('hello')).toEqual([0, 4, 2])
    expect(await tokenizerHash(folder)).not.toBe(without)
  })

  it('is no part of it where it repeats what is there', async () => {
    write({ tokenizer: llama, tokenizer_config: { ...asked, bos_token: '<s>', eos_token: '</s>' } })
    const without = await tokenizerHash(folder)
    write({ special_tokens_map: { bos_token: { content: '<s>' }, eos_token: '</s>' } })
    expect(await idsOf('hello')).toEqual([0, 4, 2])
    expect(await tokenizerHash(folder)).toBe(without)
  })

  it('in conflict is refused by name', async () => {
    write({ tokenizer: llama, tokenizer_config: { bos_token: '<s>' }, special_tokens_map: { bos_token: '</s>' } })
    await expect(loadHuggingFaceTokenizer(folder)).rejects.toThrow(
      /CHECKPOINT_INVALID: expected one bos_token in .*"<s>" in tokenizer_config.json, "<\/s>" in special_tokens_map.json/,
    )
  })

  it('is a copy that nothing reads beside added_tokens_decoder', async () => {
    const decoder = { 0: { content: '<s>', special: true } }
    write({ tokenizer: llama, special_tokens_map: { bos_token: '</s>' } })
    write({ tokenizer_config: { bos_token: '<s>', add_bos_token: true, added_tokens_decoder: decoder } })
    expect(await idsOf('hello')).toEqual([0, 4])
  })
})
