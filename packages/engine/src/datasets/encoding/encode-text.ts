import { FedsvdError } from '@fedsvd/core/errors'
import type { EncodedText, Tokenizer } from '../../tokenizers/index.ts'
import type { TextRecord } from '../text-record.ts'

/**
 * The form in which a text goes to a tokenizer without line breaks in its vocabulary, where they would only use up
 * tokens: every run of white space is one space, none at the ends.
 */
export function plainSpaces(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

/**
 * The ids of a record's text, or of its two texts. The tokenizer says whether white space means something to it; the
 * same form is due wherever the model is used later.
 *
 * @throws FedsvdError CONFIG_INVALID for a pair where the model takes one text only
 */
export async function encodeText(
  { text, pair }: Pick<TextRecord, 'text' | 'pair'>,
  tokenizer: Tokenizer,
  maxTokens: number,
): Promise<EncodedText> {
  const prepared = (raw: string) => (tokenizer.keepsWhiteSpace ? raw : plainSpaces(raw))
  if (pair === undefined) return { tokenIds: await tokenizer.encode(prepared(text), maxTokens) }
  if (tokenizer.encodePair) return await tokenizer.encodePair(prepared(text), prepared(pair), maxTokens)
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'records of one text, which is what this model takes',
    got: 'a pair of texts',
    remedy: 'Train on a checkpoint of the BERT family, or join the two texts in one column.',
  })
}
