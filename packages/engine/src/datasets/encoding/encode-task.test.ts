import { loadStarterTokenizer } from '@fedsvd/starter'
import { byteLevelTokenizer, wordPieceTokenizer } from '@fedsvd/testing/engine/tokenizers'
import { describe, expect, it } from 'vitest'
import { HuggingFaceTokenizer } from '../../tokenizers/index.ts'
import type { SiteRecord } from '../text-record.ts'
import { taskEncoder } from './encode-task.ts'
import { IGNORED as __ } from './encoded-record.ts'

//                                        5     6        7         8      9    10     11
const wordPieces = await HuggingFaceTokenizer.create(
  wordPieceTokenizer(['un', '##aff', '##able', 'the', ',', 'run', '##ning']),
  { do_lower_case: true },
)
const [CLS, SEP] = [2, 3]

//               4    5    6    7    8    9     10     11     12     13
const pieces = ['l', 'o', 'w', 'e', 'r', 'Ġ', 'lo', 'low', 'er', 'Ġlow']
const byteLevel = byteLevelTokenizer(pieces, ['l o', 'lo w', 'e r', 'Ġ low'])
const END = 2
/** As GPT-2: nothing before a text, and a token that ends it. */
const gpt2 = await HuggingFaceTokenizer.create({ ...byteLevel, post_processor: null }, { eos_token: '</s>' })

const listed = async (encoded: ReturnType<ReturnType<typeof taskEncoder>>) => {
  const record = await encoded
  return 'targets' in record ? { ids: [...record.tokenIds], targets: [...record.targets] } : record
}

describe('token classification', () => {
  const labels = ['O', 'B', 'I']
  const encode = (words: string[], tags: string[], maxTokens = 99) =>
    listed(
      taskEncoder(wordPieces, { task: 'token-classification', labels, maxTokens })(
        { task: 'token-classification', words, tags },
        'in record 1',
      ),
    )

  it('tags the first token of each word; the others and the special tokens carry no loss', async () => {
    expect(await encode(['Unaffable', 'the', 'running'], ['B', 'O', 'I'])).toEqual({
      ids: [CLS, 5, 6, 7, 8, 10, 11, SEP],
      targets: [__, 1, __, __, 0, 2, __, __],
    })
  })

  it('passes over words that are no token, and over words that were cut off', async () => {
    expect(await encode(['the', '\u200b', 'run'], ['B', 'I', 'O'])).toEqual({
      ids: [CLS, 8, 10, SEP],
      targets: [__, 1, 0, __],
    })
    expect(await encode(['the', 'running', 'the'], ['B', 'I', 'O'], 4)).toEqual({
      ids: [CLS, 8, 10, SEP],
      targets: [__, 1, 2, __],
    })
  })

  it('puts byte-level words behind a space', async () => {
    const terms = { task: 'token-classification', labels, maxTokens: 99 } as const
    const record = { task: 'token-classification', words: ['low', 'lower'], tags: ['B', 'O'] } as const
    expect(await listed(taskEncoder(gpt2, terms)(record, ''))).toEqual({ ids: [13, 13, 12], targets: [1, 0, __] })
  })

  it('refuses a tag that the run does not have, and a record without a token', async () => {
    await expect(encode(['the'], ['X'])).rejects.toThrow(/LABEL_UNKNOWN.*got another label in record 1/)
    await expect(encode(['\u200b'], ['O'])).rejects.toThrow(/DATA_EMPTY: expected something to predict in record 1/)
  })
})

describe('causal-lm', () => {
  const encode = (text: string, maxTokens = 99, tokenizer = gpt2) =>
    listed(
      taskEncoder(tokenizer, { task: 'causal-lm', labels: [], maxTokens })({ task: 'causal-lm', text }, 'in record 1'),
    )

  it('predicts each next token, and that the text is over', async () => {
    expect(await encode('lower low')).toEqual({ ids: [11, 12, 13, END], targets: [12, 13, END, __] })
  })

  it('a text that is cut off is not over', async () => {
    expect(await encode('lower low', 3)).toEqual({ ids: [11, 12, 13], targets: [12, 13, __] })
  })

  it("keeps the tokenizer's own beginning", async () => {
    const llama = await HuggingFaceTokenizer.create(byteLevel, { eos_token: { content: '</s>' } })
    expect(await encode('low', 99, llama)).toEqual({ ids: [0, 11, END], targets: [11, END, __] })
  })

  it('refuses a single token', async () => {
    await expect(encode('low', 1)).rejects.toThrow(/DATA_EMPTY/)
  })
})

describe('instruction tuning', () => {
  const encode = (prompt: string, answer: string, maxTokens = 99) =>
    listed(
      taskEncoder(gpt2, { task: 'instruction-tuning', labels: [], maxTokens })(
        { task: 'instruction-tuning', prompt, answer },
        'in record 1',
      ),
    )

  it('predicts the answer and its end, and nothing of the prompt', async () => {
    expect(await encode('lower', ' lower')).toEqual({ ids: [11, 12, 13, 12, END], targets: [__, 13, 12, END, __] })
  })

  it('cuts the beginning of the prompt first, then the end of the answer', async () => {
    expect(await encode('lower', ' lower', 4)).toEqual({ ids: [12, 13, 12, END], targets: [13, 12, END, __] })
    expect(await encode('lower', ' lower', 3)).toEqual({ ids: [12, 13, 12], targets: [13, 12, __] })
  })
})

it.each<[string, SiteRecord]>([
  ['token-classification', { task: 'token-classification', words: ['a'], tags: ['b'] }],
  ['causal-lm', { task: 'causal-lm', text: 'a' }],
])('refuses records for %s in a run on labelled texts', async (task, record) => {
  const encode = taskEncoder(gpt2, { labels: ['a', 'b'], maxTokens: 9 })
  await expect(encode(record, '')).rejects.toThrow(`CONFIG_INVALID: expected records for sequence-classification`)
  await expect(encode(record, '')).rejects.toThrow(`got records for ${task}`)
  expect(await encode({ text: 'low', label: 'b' }, '')).toEqual({ tokenIds: Int32Array.of(11), label: 1 })
})

it('refuses the tasks of tokens on a model that takes whole texts only', async () => {
  const starter = await loadStarterTokenizer()
  expect(() => taskEncoder(starter, { task: 'causal-lm', labels: [], maxTokens: 9 })).toThrow(/CONFIG_INVALID/)
})
