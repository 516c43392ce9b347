import { FedsvdError } from '@fedsvd/core/errors'
import { Spelled } from './spelled.ts'

/**
 * Where a record stands: a line of a text file or a row of a table, both from 1; neither where the file is the record.
 */
export interface Place {
  readonly file: string
  readonly line?: number
  readonly row?: number
}

export function placeText({ file, line, row }: Place): string {
  if (line !== undefined) return `${file}:${line}`
  return row === undefined ? file : `${file}, row ${row}`
}

/**
 * DATA_UNREADABLE for one place. It says where and what is wrong but never quotes the data: errors can leave the site.
 */
export function unreadable(
  place: Place,
  expected: string,
  got: string,
  cause?: unknown,
  remedy = 'Correct or remove that row, or name the right columns, and start again.',
): FedsvdError {
  const detail = { expected: `${expected} at ${placeText(place)}`, got, remedy }
  return withReason(new FedsvdError('DATA_UNREADABLE', detail, { cause }), expected)
}

/** The refusal of a table without the columns that its records need. */
export function withoutColumns(
  place: Place,
  required: readonly string[],
  columns: readonly string[],
  remedy = 'Name the columns as the file has them (--text-column, --label-column and so on), or correct the file.',
): FedsvdError {
  const missing = required.filter((column) => !columns.includes(column))
  return unreadable(
    place,
    `the columns "${required.join('" and "')}"`,
    `no "${missing.join('", "')}" among "${columns.join('", "')}"`,
    undefined,
    remedy,
  )
}

const reasons = new WeakMap<FedsvdError, string>()

/** Notes what a fault expected without saying where, so that faults of one kind can be counted. */
export function withReason(fault: FedsvdError, reason: string): FedsvdError {
  reasons.set(fault, reason.replace(/,$/, ''))
  return fault
}

/** What a fault of a row expected, without its place. */
export function reasonOf(fault: FedsvdError): string {
  return reasons.get(fault) ?? fault.detail.expected
}

/** A value as an error may name it: its kind, never its content. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (value === '') return 'an empty text'
  if (typeof value === 'string') return value.trim() === '' ? 'only white space' : 'a text'
  if (value instanceof Spelled) return value.kind
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** The refusal of a text in another encoding than it was read in; it quotes nothing. */
export function otherEncoding(place: Place, got: string, encoding?: string): FedsvdError {
  const guess = encoding ?? 'windows-1252'
  return unreadable(
    place,
    'UTF-8 text',
    got,
    undefined,
    `Say in which encoding it is, such as --encoding ${guess}, or save it as UTF-8.`,
  )
}
