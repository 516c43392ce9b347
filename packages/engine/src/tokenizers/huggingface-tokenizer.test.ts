import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { byteLevelTokenizer, unigramTokenizer, wordPieceTokenizer } from '@fedsvd/testing/engine/tokenizers'
import { describe, expect, it } from 'vitest'
import { HuggingFaceTokenizer, loadHuggingFaceTokenizer } from './huggingface-tokenizer.ts'

const [CLS, SEP] = [2, 3]

describe('WordPiece', async () => {
  //                          5     6        7         8      9    10     11
  const pieces = ['un', '##aff', '##able', 'the', ',', 'run', '##ning']
  const tokenizer = await HuggingFaceTokenizer.create(wordPieceTokenizer(pieces), { do_lower_case: true })

  it('takes the longest piece that fits, again and again, within words of lower case without accents', async () => {
    expect([...(await tokenizer.encode('Unaffable, THÉ   running', 99))]).toEqual([CLS, 5, 6, 7, 9, 8, 10, 11, SEP])
    expect(tokenizer.vocabularySize).toBe(12)
  })

  it('makes a word that no pieces cover one unknown token', async () => {
    expect([...(await tokenizer.encode('the unable thing', 99))]).toEqual([CLS, 8, 5, 7, 1, SEP])
  })

  it('reads a special token in the text as such', async () => {
    expect([...(await tokenizer.encode('the [SEP] run', 99))]).toEqual([CLS, 8, SEP, 10, SEP])
  })

  it('cuts the text, never the special tokens', async () => {
    expect([...(await tokenizer.encode('the run the run', 4))]).toEqual([CLS, 8, 10, SEP])
    const left = await HuggingFaceTokenizer.create(wordPieceTokenizer(pieces), { truncation_side: 'left' })
    expect([...(await left.encode('the run , run', 4))]).toEqual([CLS, 9, 10, SEP])
    await expect(tokenizer.encode('the', 2)).rejects.toThrow(
      /CONFIG_INVALID: expected maxTokens .* above the 2 special tokens/,
    )
  })

  it('keeps two texts apart by separators and types', async () => {
    const { tokenIds, typeIds } = await tokenizer.encodePair('the run', 'unaffable', 99)
    expect([...tokenIds]).toEqual([CLS, 8, 10, SEP, 5, 6, 7, SEP])
    expect([...typeIds!]).toEqual([0, 0, 0, 0, 1, 1, 1, 1])
  })

  it.each([
    // room for 9 - 3 tokens: the shorter text stays whole while it has no more than half of them
    ['the', 'run run run run run run', 9, [CLS, 8, SEP, 10, 10, 10, 10, 10, SEP]],
    ['run run run run run run', 'the', 9, [CLS, 10, 10, 10, 10, 10, SEP, 8, SEP]],
    ['the the the the', 'run run run run run', 9, [CLS, 8, 8, 8, SEP, 10, 10, 10, SEP]],
    // an odd room: the longer text has the last place
    ['the the the the', 'run run run run run', 8, [CLS, 8, 8, SEP, 10, 10, 10, SEP]],
    ['run run run run run', 'the the the the', 8, [CLS, 10, 10, 10, SEP, 8, 8, SEP]],
  ])('cuts the longer of "%s" and "%s" first', async (first, second, maxTokens, expected) => {
    const { tokenIds, typeIds } = await tokenizer.encodePair(first, second, maxTokens)
    expect([...tokenIds]).toEqual(expected)
    expect(typeIds!.indexOf(1)).toBe(expected.indexOf(SEP) + 1)
  })

  it('takes an empty second text as a text', async () => {
    expect([...(await tokenizer.encodePair('the', '', 99)).tokenIds]).toEqual([CLS, 8, SEP, SEP])
  })
})

describe('byte-level BPE', async () => {
  //              4    5    6    7    8    9     10     11     12     13      14   15
  const pieces = ['l', 'o', 'w', 'e', 'r', 'Ġ', 'lo', 'low', 'er', 'Ġlow', 'Ã', '©']
  const tokenizer = await HuggingFaceTokenizer.create(byteLevelTokenizer(pieces, ['l o', 'lo w', 'e r', 'Ġ low']))

  it('merges pairs in the order of the list, within words that carry the space before them', async () => {
    // lower: l o w e r > lo w e r > low e r > low er;   " low": Ġ l o w > Ġ lo w > Ġ low > Ġlow
    expect([...(await tokenizer.encode('lower low', 99))]).toEqual([0, 11, 12, 13, 2])
  })

  it('takes white space and other scripts byte by byte: é is C3 A9', async () => {
    expect([...(await tokenizer.encode('lo  é', 99))]).toEqual([0, 10, 9, 9, 14, 15, 2])
    expect(tokenizer.keepsWhiteSpace).toBe(true)
  })

  it('puts two separators between two texts', async () => {
    expect([...(await tokenizer.encodePair('low', 'er', 99)).tokenIds]).toEqual([0, 11, 2, 2, 12, 2])
  })
})

describe('Unigram', async () => {
  //                                4          5            6            7           8           9
  const pieces = (whole: number) =>
    [
      ['▁', -3],
      ['▁hello', whole],
      ['▁he', -2],
      ['llo', -2],
      ['he', -9],
      ['l', -4],
    ] as const
  const encode = async (whole: number, text: string) => [
    ...(await (await HuggingFaceTokenizer.create(unigramTokenizer(pieces(whole)))).encode(text, 99)),
  ]

  it('takes the cut with the highest sum of scores', async () => {
    expect(await encode(-5, 'hello')).toEqual([0, 6, 7, 2]) // -2 - 2 = -4 against -5
    expect(await encode(-3.5, 'hello')).toEqual([0, 5, 2]) // -3.5 against -4
    expect(await encode(-5, 'hello  hel')).toEqual([0, 6, 7, 6, 9, 2])
  })

  it('normalises first: full-width letters are letters', async () => {
    expect(await encode(-3.5, 'ｈｅllo')).toEqual([0, 5, 2])
  })

  it('makes unknown letters the unknown token', async () => {
    expect(await encode(-3.5, 'hello z')).toEqual([0, 5, 4, 3, 2])
  })

  it('puts two separators between two texts, and no types', async () => {
    const tokenizer = await HuggingFaceTokenizer.create(unigramTokenizer(pieces(-3.5)))
    const { tokenIds, typeIds } = await tokenizer.encodePair('hello', 'hello', 99)
    expect([...tokenIds]).toEqual([0, 5, 2, 2, 5, 2])
    expect([...typeIds!]).toEqual([0, 0, 0, 0, 0, 0])
  })
})

describe('the files of a tokenizer', () => {
  it('are refused where the vocabulary lacks the token for what it does not know', async () => {
    const whole = wordPieceTokenizer(['the'])
    const model = whole.model as { readonly vocab: Readonly<Record<string, number>> }
    const { '[UNK]': _, ...vocab } = model.vocab
    await expect(HuggingFaceTokenizer.create({ ...whole, model: { ...model, vocab } })).rejects.toThrow(
      /CHECKPOINT_INVALID: expected a tokenizer that has a token for what it does not know, got .*\[UNK\]/,
    )
  })

  it('are read from the folder of a checkpoint, and refused where they are none', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fedsvd-tokenizer-'))
    try {
      await expect(loadHuggingFaceTokenizer(folder)).rejects.toThrow(/CHECKPOINT_INVALID: expected a tokenizer.json/)
      await writeFile(join(folder, 'tokenizer.json'), '{')
      await expect(loadHuggingFaceTokenizer(folder)).rejects.toThrow(/expected a JSON object in .*tokenizer.json/)
      await writeFile(join(folder, 'tokenizer.json'), '{}')
      await expect(loadHuggingFaceTokenizer(folder)).rejects.toThrow(/a tokenizer.json that describes a tokenizer/)
      await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(wordPieceTokenizer(['a'])))
      expect([...(await (await loadHuggingFaceTokenizer(folder)).encode('a', 9))]).toEqual([CLS, 5, SEP])
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
