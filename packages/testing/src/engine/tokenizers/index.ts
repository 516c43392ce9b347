export { AWKWARD_TEXTS } from './awkward-texts.ts'

/*
 * Small tokenizer.json files of the three kinds that checkpoints have, for tests: few enough pieces that every result
 * can be worked out by hand.
 */

const special = (id: number, content: string) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
})
const token = (id: string, typeId = 0) => ({ SpecialToken: { id, type_id: typeId } })
const text = (id: 'A' | 'B', typeId = 0) => ({ Sequence: { id, type_id: typeId } })
const base = { version: '1.0', truncation: null, padding: null }
const numbered = (pieces: readonly string[]) => Object.fromEntries(pieces.map((piece, id) => [piece, id]))

/** BERT's: lower case without accents, words and punctuation, WordPiece. */
export function wordPieceTokenizer(pieces: readonly string[]): Record<string, unknown> {
  const vocab = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...pieces]
  return {
    ...base,
    added_tokens: vocab.slice(0, 5).map((content, id) => special(id, content)),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [token('[CLS]'), text('A'), token('[SEP]')],
      pair: [token('[CLS]'), text('A'), token('[SEP]'), text('B', 1), token('[SEP]', 1)],
      special_tokens: {
        '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
        '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
      },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: numbered(vocab),
    },
  }
}

/** RoBERTa's: bytes, merged pair by pair. */
export function byteLevelTokenizer(pieces: readonly string[], merges: readonly string[]): Record<string, unknown> {
  const vocab = ['<s>', '<pad>', '</s>', '<unk>', ...pieces, '<mask>']
  const ids = numbered(vocab)
  return {
    ...base,
    added_tokens: ['<s>', '<pad>', '</s>', '<unk>', '<mask>'].map((content) => special(ids[content]!, content)),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: {
      type: 'RobertaProcessing',
      sep: ['</s>', 2],
      cls: ['<s>', 0],
      trim_offsets: true,
      add_prefix_space: false,
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      vocab: ids,
      merges,
    },
  }
}

/** XLM-R's: SentencePiece, the likeliest cut under a score for each piece. */
export function unigramTokenizer(pieces: readonly (readonly [string, number])[]): Record<string, unknown> {
  const vocab = [['<s>', 0], ['<pad>', 0], ['</s>', 0], ['<unk>', 0], ...pieces]
  return {
    ...base,
    added_tokens: ['<s>', '<pad>', '</s>', '<unk>'].map((content, id) => special(id, content)),
    normalizer: { type: 'NFKC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'WhitespaceSplit' },
        { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
      ],
    },
    post_processor: {
      type: 'TemplateProcessing',
      single: [token('<s>'), text('A'), token('</s>')],
      pair: [token('<s>'), text('A'), token('</s>'), token('</s>'), text('B'), token('</s>')],
      special_tokens: {
        '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] },
        '</s>': { id: '</s>', ids: [2], tokens: ['</s>'] },
      },
    },
    decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
    model: { type: 'Unigram', unk_id: 3, vocab, byte_fallback: false },
  }
}
