import type { Tokenizer } from '../../tokenizers/index.ts'
import type { TextRecord } from '../text-record.ts'
import { encodeText } from './encode-text.ts'
import type { LabelledRecord } from './encoded-record.ts'
import { labelIndex, labelUnknown } from './label-set.ts'

/**
 * Tokenises records in their order; `labels[i]` becomes label i, and no text gives more than `maxTokens` ids.
 *
 * @throws FedsvdError LABEL_UNKNOWN naming the position (from 1) of the first record with a label outside `labels`.
 */
export async function encodeRecords(
  records: readonly TextRecord[],
  tokenizer: Tokenizer,
  labels: readonly string[],
  maxTokens: number,
): Promise<LabelledRecord[]> {
  const encode = recordEncoder(tokenizer, labels, maxTokens)
  const encoded: LabelledRecord[] = []
  for (const [position, record] of records.entries()) encoded.push(await encode(record, `in record ${position + 1}`))
  return encoded
}

/**
 * {@link encodeRecords} for one record at a time; `place` is where it stands, for the error.
 *
 * @throws FedsvdError CONFIG_INVALID for a label set that is none
 */
export function recordEncoder(
  tokenizer: Tokenizer,
  labels: readonly string[],
  maxTokens: number,
): (record: TextRecord, place: string) => Promise<LabelledRecord> {
  const index = labelIndex(labels)
  return async (record, place) => {
    const target = index.get(record.label)
    if (target === undefined) throw labelUnknown(labels, place)
    return { ...(await encodeText(record, tokenizer, maxTokens)), label: target }
  }
}
