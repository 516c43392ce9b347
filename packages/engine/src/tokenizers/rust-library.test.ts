import { readFileSync } from 'node:fs'
import {
  AWKWARD_TEXTS,
  byteLevelTokenizer,
  unigramTokenizer,
  wordPieceTokenizer,
} from '@fedsvd/testing/engine/tokenizers'
import { Tokenizer as RustTokenizer } from 'tokenizers'
import { describe, expect, it } from 'vitest'
import { HuggingFaceTokenizer } from './huggingface-tokenizer.ts'

/*
 * Ids against Hugging Face's Rust library, whose own truncation, pairs and special tokens share no code with ours, over
 * its components and over texts on which tokenizers differ.
 */

const TEXTS = [
  'COVID-19 test, covid-19 TEST',
  'café é naïve Übung Ἀθῆναι ΟΔΟΣ ὈΔΥΣΣΕΎΣ ςσΣ İstanbul ıI ß ẞ ŉ ǰ ﬁ ﬃ',
  'e\u0301 a\u0323\u0301 \u0301 ä ä  ',
  '👩‍👩‍👧‍👦 👋🏽 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ☃︎ ☃️ 1️⃣',
  '日本語 𠮷野家 𪚥 漢字かな交じり文 한국어 조합 ㈱',
  'שלום עולם مرحبا بالعالم हिन्दी ไทย',
  'a\u0000b\u0007c\u007f\u0085\u200b\u200d\u2028\u2029\ufeffd\u00ad\ufffd',
  "don't won't I'll we've they're he'd I'm ’s 'S 'LL",
  '1 12 123 1234 12345 3.14 1,000 ½ ² ٣ 一二',
  '  two  spaces\t tab\n\nlines\r\ncarriage \u00a0 no-break \u3000 wide  ',
  'http://example.org/a?b=c&d=e#f user@example.org C:\\path __init__ <b>x_y</b>',
  '[CLS] [SEP] [MASK] [UNK] <s> </s> <unk> <mask> [sep] <S>',
  'pneumonoultramicroscopicsilicovolcanoconiosis'.repeat(4),
  'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee',
  '!?.,;:()[]{}«»“”„‘’‚–—…·•¿¡§¶†‡',
  '\u2581the\u2581 Ġword ##ing @@ </w>',
  'x',
  ' ',
  '',
  ...AWKWARD_TEXTS,
]

const LETTERS = [...'abcdefghijklmnopqrstuvwxyzéσς0123456789.,'].flatMap((letter) => [letter, `##${letter}`])
const word = wordPieceTokenizer([...LETTERS, 'test', '##est', 'covid', 'the', 'cafe', '日', '本', '語'])
const added = (content: string, options: object) => ({
  id: 1000,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: true,
  special: false,
  ...options,
})

const NORMALISERS = [
  null,
  { type: 'NFC' },
  { type: 'NFD' },
  { type: 'NFKC' },
  { type: 'NFKD' },
  { type: 'Lowercase' },
  { type: 'StripAccents' },
  { type: 'Strip', strip_left: true, strip_right: true },
  { type: 'Strip', strip_left: false, strip_right: true },
  { type: 'Nmt' },
  { type: 'ByteLevel' },
  { type: 'Replace', pattern: { String: "''" }, content: '"' },
  { type: 'Prepend', prepend: '▁' },
  { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' },
  { type: 'Sequence', normalizers: [{ type: 'NFD' }, { type: 'Lowercase' }, { type: 'StripAccents' }] },
  { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
  { type: 'BertNormalizer', clean_text: false, handle_chinese_chars: false, strip_accents: true, lowercase: false },
]

/** The words of Llama 3 and Qwen2. */
const GPT4_WORDS =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

const PRE_TOKENISERS = [
  null,
  { type: 'BertPreTokenizer' },
  { type: 'Whitespace' },
  { type: 'WhitespaceSplit' },
  { type: 'Punctuation', behavior: 'Isolated' },
  { type: 'Punctuation', behavior: 'MergedWithPrevious' },
  { type: 'Digits', individual_digits: true },
  { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: true },
  { type: 'Metaspace', replacement: '▁', prepend_scheme: 'never', split: false },
  { type: 'CharDelimiterSplit', delimiter: '-' },
  { type: 'Split', pattern: { Regex: '\\p{N}{1,3}' }, behavior: 'Isolated', invert: false },
  { type: 'UnicodeScripts' },
  ...['Removed', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'].map((behavior) => ({
    type: 'Split',
    pattern: { Regex: '[\\s\\p{P}]' },
    behavior,
    invert: false,
  })),
  { type: 'Split', pattern: { String: 'a' }, behavior: 'Isolated', invert: true },
  { type: 'Punctuation', behavior: 'Contiguous' },
  { type: 'Digits', individual_digits: false },
  { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
  {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Split', pattern: { Regex: GPT4_WORDS }, behavior: 'Isolated', invert: false },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    ],
  },
  { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
]

const PROCESSORS = [
  null,
  word.post_processor,
  { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] },
  { type: 'RobertaProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2], trim_offsets: true, add_prefix_space: true },
  { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  { type: 'Sequence', processors: [word.post_processor] },
]

const shared = (name: string) =>
  JSON.parse(readFileSync(new URL(`./vectors/${name}.json`, import.meta.url), 'utf8')) as Record<string, unknown>

type Model = Readonly<Record<string, unknown>>
const BYTES = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
const withModel = (tokenizer: Record<string, unknown>, changes: Model): Record<string, unknown> => ({
  ...tokenizer,
  pre_tokenizer: null,
  model: { ...(tokenizer.model as Model), ...changes },
})

const cases: (readonly [string, Record<string, unknown>])[] = [
  ...NORMALISERS.map((normalizer) => [`normaliser ${JSON.stringify(normalizer)}`, { ...word, normalizer }] as const),
  ...PRE_TOKENISERS.map(
    (rules) => [`pre-tokeniser ${JSON.stringify(rules)}`, { ...word, pre_tokenizer: rules }] as const,
  ),
  ...PROCESSORS.map(
    (rules) => [`post-processor ${JSON.stringify(rules)}`, { ...word, post_processor: rules }] as const,
  ),
  ...[{ normalized: true }, { normalized: false }, { single_word: true }, { lstrip: true }, { rstrip: true }].map(
    (options) => {
      const tokens = [...(word.added_tokens as object[]), added('COVID-19', options)]
      return [`added token ${JSON.stringify(options)}`, { ...word, added_tokens: tokens }] as const
    },
  ),
  ['BPE of bytes', byteLevelTokenizer(['l', 'o', 'w', 'e', 'Ġ', 'lo', 'low', 'Ã', '©'], ['l o', 'lo w'])],
  [
    'Unigram',
    unigramTokenizer([
      ['▁', -3],
      ['▁the', -2],
      ['e', -4],
      ['é', -5],
      ['日', -6],
    ]),
  ],
  [
    'BPE with bytes for unknown characters',
    withModel(byteLevelTokenizer(BYTES, []), { byte_fallback: true, unk_token: '<unk>', fuse_unk: true }),
  ],
  [
    'BPE of whole words first',
    withModel(byteLevelTokenizer(['l', 'o', 'lo', 'low'], ['l o']), { ignore_merges: true }),
  ],
  ['whole words', { ...word, model: { type: 'WordLevel', unk_token: '[UNK]', vocab: (word.model as Model).vocab } }],
  ['added token in upper case', shared('added-upper-case')],
  ['Whitespace beyond ASCII', shared('whitespace')],
]

/** The library with its own truncation. */
function oracle(tokenizer: Record<string, unknown>) {
  const rust = RustTokenizer.fromString(JSON.stringify(tokenizer))
  return async (first: string, second: string | null, maxTokens: number) => {
    rust.setTruncation(maxTokens, { strategy: 'LongestFirst' as never, direction: 'right' })
    return await rust.encode(first, second)
  }
}

const CASED = { clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true }
/** What the settings of a BERT class make of the normaliser, written by hand. */
const CONFIGURED: readonly (readonly [Record<string, unknown>, object])[] = [
  [{}, CASED],
  [{ do_lower_case: false }, { ...CASED, lowercase: false }],
  [
    { do_lower_case: false, strip_accents: true },
    { ...CASED, lowercase: false, strip_accents: true },
  ],
  [{ strip_accents: false }, { ...CASED, strip_accents: false }],
  [{ tokenize_chinese_chars: false }, { ...CASED, handle_chinese_chars: false }],
]

describe('ids equal those of the Rust library with the normaliser that the configuration gives', () => {
  it.each(CONFIGURED)('%j', async (config, rules) => {
    const ours = await HuggingFaceTokenizer.create(word, { tokenizer_class: 'BertTokenizer', ...config })
    const theirs = oracle({ ...word, normalizer: { type: 'BertNormalizer', ...rules } })
    for (const text of TEXTS) {
      const expected = (await theirs(text, null, 1000)).getIds()
      expect([...(await ours.encode(text, 1000))], JSON.stringify(text)).toEqual(expected)
    }
  })
})

describe('ids equal those of the Rust library', () => {
  it.each(cases)('%s', async (_, description) => {
    const ours = await HuggingFaceTokenizer.create(description)
    const theirs = oracle(description)
    for (const [at, text] of TEXTS.entries()) {
      for (const maxTokens of [6, 17, 1000]) {
        const expected = (await theirs(text, null, maxTokens)).getIds()
        const ids = [...(await ours.encode(text, maxTokens))]
        if (expected.length > 0) expect(ids, JSON.stringify(text)).toEqual(expected)
        else expect(ids).toHaveLength(1)
        const other = TEXTS[(at + 5) % TEXTS.length]!
        const pair = await theirs(text, other, maxTokens)
        const { tokenIds, typeIds } = await ours.encodePair(text, other, maxTokens)
        expect([...tokenIds], JSON.stringify([text, other, maxTokens])).toEqual(pair.getIds())
        expect([...typeIds!]).toEqual(pair.getTypeIds())
      }
    }
  })
})
