import { FedsvdError } from '@fedsvd/core/errors'
import { valueText } from '../readers/value-text.ts'

/**
 * The labels of a run, in the order of the model's outputs, each in the one spelling that records have: see
 * `valueText`.
 *
 * @throws FedsvdError CONFIG_INVALID unless there are at least two labels and all differ.
 */
export function labelIndex(labels: readonly string[]): ReadonlyMap<string, number> {
  const index = new Map(labels.map((label, position) => [valueText(label) ?? label, position]))
  if (index.size < 2 || index.size < labels.length) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: 'a label set of two or more different labels',
      got: labels.length === 0 ? 'no labels' : labels.map((label) => JSON.stringify(label)).join(', '),
      remedy: 'List every label of the task once.',
    })
  }
  return index
}

/** The error for a record of another label. It says where the record is, not what it holds: errors leave the site. */
export function labelUnknown(labels: readonly string[], place: string): FedsvdError {
  return new FedsvdError('LABEL_UNKNOWN', {
    expected: `one of the labels ${labels.map((label) => JSON.stringify(label)).join(', ')}`,
    got: `another label ${place}`,
    remedy: 'Correct the record, or add its label to the label set of the run.',
  })
}

/** The labels that occur in `records`, sorted: a label set that does not depend on the order of the records. */
export function labelsOf(records: Iterable<{ readonly label: string }>): readonly string[] {
  return [...new Set(Array.from(records, ({ label }) => label))].sort()
}
