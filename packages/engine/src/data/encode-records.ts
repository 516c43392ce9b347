import type { Tokenizer } from '../tokenizer/index.ts'
import { encodeText } from './encode-text.ts'
import type { LabelledRecord } from './encoded-record.ts'
import { labelIndex, labelUnknown } from './label-set.ts'
import type { TextRecord } from './text-record.ts'

/**
 * Tokenises records in their order; `labels[i]` becomes label i, and no text gives more than `maxTokens` ids.
 *
 * @throws FedsvdError LABEL_UNKNOWN naming the position (from 1) of the first record with a label outside `labels`.
 */
export function encodeRecords(
  records: readonly TextRecord[],
  tokenizer: Tokenizer,
  labels: readonly string[],
  maxTokens: number,
): LabelledRecord[] {
  const index = labelIndex(labels)
  return records.map((record, position) => {
    const target = index.get(record.label)
    if (target === undefined) throw labelUnknown(labels, `in record ${position + 1}`)
    return { ...encodeText(record, tokenizer, maxTokens), label: target }
  })
}
