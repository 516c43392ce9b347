import type { JsonObject } from '@fedsvd/engine/files'
import type { ScoredPiece } from './piece-trie.ts'

/** White space as `\s` of JavaScript has it: other languages' have a line separator more or a mark less. */
const WHITE_SPACE = '[\\t\\n\\x0B\\f\\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]+'

/** No text has a space when pieces are looked for, so that what has one is found in none. */
const UNKNOWN = ' <unk>'
/** Looked for in texts as they come, and so nothing that one would hold. */
const PADDING = '\ue000pad\ue000'

/**
 * The starter tokenizer as Hugging Face's libraries read it: `tokenizer.json` and `tokenizer_config.json`, with the
 * same pieces for every text that is not blank. Where two orders of the same pieces have the same score, as "==" and
 * "===" in a row of five, theirs is the other one: a few of a thousand tokens of an e-mail. The habits of the reference
 * are written out:
 *
 * - white space becomes single spaces, as `plainSpaces` has it, before NFKC;
 * - a separator stands before the text, whatever it begins with, and for every space;
 * - pieces without a score have the score 0, and of equal pieces the last one counts;
 * - the reserved pieces match nothing: their names have a space;
 * - a path of score 0 counts as not reached yet. Scores are negative but for the pieces that begin with "▁:", and so it
 *   shows at the beginning of a text alone: a separator before a colon is a piece of its own there.
 */
export function unigramTokenizerFiles(
  pieces: readonly ScoredPiece[],
  reserved: number,
): { readonly tokenizer: JsonObject; readonly config: JsonObject } {
  const last = new Map(pieces.map(([piece], id) => [piece, id]))
  const nameOf = (piece: string, id: number): string => {
    if (id === 0) return UNKNOWN
    if (id === 1) return PADDING
    return id < reserved || last.get(piece) !== id ? ` ${piece} ${id}` : piece
  }
  const replace = (pattern: string, content: string) => ({ type: 'Replace', pattern: { Regex: pattern }, content })
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        replace(WHITE_SPACE, ' '),
        replace('^ +| +$', ''),
        { type: 'NFKC' },
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: { type: 'Split', pattern: { Regex: '^▁(?=:)' }, behavior: 'Isolated', invert: false },
    post_processor: null,
    decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: false },
    model: {
      type: 'Unigram',
      unk_id: 0,
      byte_fallback: false,
      vocab: pieces.map(([piece, score], id) => [nameOf(piece, id), score ?? 0]),
    },
  }
  return {
    tokenizer,
    config: { tokenizer_class: 'PreTrainedTokenizerFast', pad_token: PADDING },
  }
}
