import { byteLevelTokenizer, unigramTokenizer, wordPieceTokenizer } from '@fedsvd/testing/engine/tokenizers'
import { describe, expect, it } from 'vitest'
import { HuggingFaceTokenizer } from './huggingface-tokenizer.ts'

type Json = Record<string, unknown>
const idsOf = async (tokenizer: Json, config: Json, text: string) => [
  ...(await (await HuggingFaceTokenizer.create(tokenizer, config)).encode(text, 99)),
]

//                                    5      6      7       8
const bert = wordPieceTokenizer(['café', 'cafe', 'Cafe', 'Café'])
const cased = { ...bert, normalizer: { ...(bert.normalizer as Json), lowercase: false } }
const [CLS, SEP] = [2, 3]

describe("what tokenizer_config.json changes in tokenizer.json, as Transformers' fast tokenizers apply it", () => {
  it.each<[string, Json, Json, number]>([
    ['case and accents of a BERT class', bert, { tokenizer_class: 'BertTokenizer', do_lower_case: false }, 8],
    ['lower case, the default of a BERT class', cased, { tokenizer_class: 'BertTokenizerFast' }, 6],
    ['accents', bert, { tokenizer_class: 'DistilBertTokenizer', strip_accents: false }, 5],
    ['nothing for a class of another family', cased, { tokenizer_class: 'PreTrainedTokenizerFast' }, 8],
    ['nothing where no class is named', bert, { do_lower_case: false }, 6],
  ])('%s', async (_, tokenizer, config, expected) => {
    expect(await idsOf(tokenizer, config, 'Café')).toEqual([CLS, expected, SEP])
  })

  const llama = { ...unigramTokenizer([['▁hello', -1]]), post_processor: null }
  const named = { bos_token: '<s>', eos_token: { content: '</s>' } }
  it.each<[string, Json, number[]]>([
    ['no special token without a word about it', named, [4]],
    ['a begin token where it is asked for', { ...named, add_bos_token: true }, [0, 4]],
    ['an end token', { ...named, add_eos_token: true }, [4, 2]],
    ['both', { ...named, add_bos_token: true, add_eos_token: true }, [0, 4, 2]],
    ['the begin token of a Llama class', { ...named, tokenizer_class: 'LlamaTokenizer' }, [0, 4]],
    ['none where a Llama class is told so', { ...named, tokenizer_class: 'LlamaTokenizer', add_bos_token: false }, [4]],
  ])('%s', async (_, config, expected) => {
    expect(await idsOf(llama, config, 'hello')).toEqual(expected)
  })

  it('puts begin and end tokens around each of two texts, with their types', async () => {
    const tokenizer = await HuggingFaceTokenizer.create(llama, { ...named, add_bos_token: true, add_eos_token: true })
    const { tokenIds, typeIds } = await tokenizer.encodePair('hello', 'hello', 99)
    expect([[...tokenIds], [...typeIds!]]).toEqual([
      [0, 4, 2, 0, 4, 2],
      [0, 0, 0, 1, 1, 1],
    ])
  })

  it('a space before the first word', async () => {
    const bytes = byteLevelTokenizer(['l', 'o', 'Ġ', 'Ġl'], ['Ġ l'])
    expect(await idsOf(bytes, {}, 'lo')).toEqual([0, 4, 5, 2])
    expect(await idsOf(bytes, { add_prefix_space: true }, 'lo')).toEqual([0, 7, 5, 2])
  })

  it('no space by default for the classes of GPT-2 and RoBERTa, and Metaspace is not touched', async () => {
    const bytes = byteLevelTokenizer(['l', 'o', 'Ġ', 'Ġl'], ['Ġ l'])
    const spaced = { ...bytes, pre_tokenizer: { ...(bytes.pre_tokenizer as Json), add_prefix_space: true } }
    expect(await idsOf(spaced, {}, 'lo')).toEqual([0, 7, 5, 2])
    expect(await idsOf(spaced, { tokenizer_class: 'RobertaTokenizer' }, 'lo')).toEqual([0, 4, 5, 2])
    const asked = { tokenizer_class: 'GPT2TokenizerFast', add_prefix_space: true }
    expect(await idsOf(spaced, asked, 'lo')).toEqual([0, 7, 5, 2])
    const former = { type: 'Metaspace', replacement: '▁', add_prefix_space: true }
    const pieces = { ...unigramTokenizer([['▁hello', -1]]), pre_tokenizer: former }
    expect(await idsOf(pieces, { add_prefix_space: false }, 'hello')).toEqual([0, 4, 2])
  })

  it('tokens that tokenizer.json does not list as added ones', async () => {
    const bare = { ...bert, added_tokens: [] }
    expect(await idsOf(bare, {}, '[SEP]')).not.toEqual([CLS, SEP, SEP])
    expect(await idsOf(bare, { sep_token: '[SEP]' }, '[SEP]')).toEqual([CLS, SEP, SEP])
    expect(await idsOf(bare, { sep_token: { __type: 'AddedToken', content: '[SEP]' } }, '[SEP]')).toEqual([
      CLS,
      SEP,
      SEP,
    ])
    for (const extra of [{ end_token: '[SEP]' }, ['[SEP]']]) {
      expect(await idsOf(bare, { extra_special_tokens: extra }, '[SEP]')).toEqual([CLS, SEP, SEP])
    }
    const decoder = { 3: { __type: 'AddedToken', content: '[SEP]', special: true, normalized: false } }
    expect(await idsOf(bare, { added_tokens_decoder: decoder }, '[SEP]')).toEqual([CLS, SEP, SEP])
  })

  it('truncation and padding that were saved with the tokenizer are off', async () => {
    const saved = {
      ...bert,
      truncation: { direction: 'Right', max_length: 3, strategy: 'LongestFirst', stride: 0 },
      padding: {
        strategy: { Fixed: 9 },
        direction: 'Right',
        pad_to_multiple_of: null,
        pad_id: 0,
        pad_type_id: 0,
        pad_token: '[PAD]',
      },
    }
    expect(await idsOf(saved, {}, 'cafe cafe')).toEqual([CLS, 6, 6, SEP])
  })
})

it.each<[string, Json]>([
  ['a length of 1e30', { model_max_length: 1e30 }],
  ['a clean-up of decoded texts', { clean_up_tokenization_spaces: true }],
  ['settings of the slow classes', { legacy: false, use_fast: false, do_basic_tokenize: false, never_split: ['cafe'] }],
  ['padding and a chat template', { padding_side: 'left', chat_template: '{{ messages }}', pad_token: null }],
  ['null in place of a setting', { add_bos_token: null, strip_accents: null, add_prefix_space: null }],
])('%s changes no ids', async (_, config) => {
  expect(await idsOf(bert, config, 'Café cafe')).toEqual([CLS, 6, 6, SEP])
})

describe('settings that cannot be applied are refused by name', () => {
  it.each<[Json, RegExp]>([
    [{ do_lower_case: 'true' }, /true or false as do_lower_case in tokenizer_config.json, got "true"/],
    [{ add_bos_token: 1 }, /true or false as add_bos_token/],
    [{ split_special_tokens: true }, /false as split_special_tokens/],
    [{ truncation_side: 'middle' }, /"left" or "right" as truncation_side.*got "middle"/],
    [{ tokenizer_class: 7 }, /a name as tokenizer_class/],
    [{ auto_map: { AutoTokenizer: ['tokenization_own.Own', null] } }, /without code of its own \(auto_map\)/],
    [{ bos_token: 0 }, /as bos_token/],
    [{ cls_token: { text: '[CLS]' } }, /as cls_token/],
    [{ additional_special_tokens: '<x>' }, /a list of texts as additional_special_tokens/],
    [{ added_tokens_decoder: { x: '[SEP]' } }, /tokens under their ids as added_tokens_decoder/],
    [{ added_tokens_decoder: { 3: { special: true } } }, /tokens under their ids as added_tokens_decoder/],
    [{ added_tokens_decoder: { 7: { content: '[SEP]' } } }, /the id 3 of tokenizer.json for "\[SEP\]".*got 7/],
    [{ add_bos_token: true, bos_token: null }, /the bos_token, since add_bos_token is true/],
    [{ add_eos_token: true, eos_token: null }, /the eos_token, since add_eos_token is true/],
  ])('%j', async (config, message) => {
    await expect(HuggingFaceTokenizer.create(bert, config)).rejects.toThrow(message)
    await expect(HuggingFaceTokenizer.create(bert, config)).rejects.toMatchObject({ code: 'CHECKPOINT_INVALID' })
  })

  it('merges that are left out at random', async () => {
    const bytes = byteLevelTokenizer(['l', 'o', 'lo'], ['l o'])
    const random = { ...bytes, model: { ...(bytes.model as Json), dropout: 0.1 } }
    await expect(HuggingFaceTokenizer.create(random)).rejects.toThrow(/a model without dropout.*got 0.1/)
  })
})

describe('files that describe no tokenizer are refused in one line', () => {
  it.each<[string, unknown]>([
    ['an empty object', {}],
    ['no model', { model: null }],
    ['a model of a kind that does not exist', { model: { type: 'Nonsense', vocab: {} } }],
    ['merges that are none', { model: { type: 'BPE', vocab: {}, merges: [['a']] } }],
    ['an unknown token outside the vocabulary', { model: { type: 'WordPiece', vocab: { a: 0 }, unk_token: '[UNK]' } }],
    ['an unknown pre-tokeniser', { ...bert, pre_tokenizer: { type: 'Jieba' } }],
    ['an empty vocabulary', { model: { type: 'BPE', vocab: {}, merges: [] } }],
  ])('%s', async (_, tokenizer) => {
    await expect(HuggingFaceTokenizer.create(tokenizer as Json)).rejects.toThrow(
      /^CHECKPOINT_INVALID: expected a token/,
    )
  })
})
