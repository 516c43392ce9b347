import { FedsvdError } from '@fedsvd/core/errors'
import { labelUnknown } from './label-set.ts'
import type { TextRecord } from './text-record.ts'

/** How the columns (CSV) or members (JSONL) of a file map to a record, and which labels it may hold. */
export interface ReadOptions {
  /** Default "text". */
  readonly textColumn?: string
  /** Default "label". */
  readonly labelColumn?: string
  /** Default "source"; a file need not have it. */
  readonly sourceColumn?: string
  /** When given, any other label is refused with LABEL_UNKNOWN. */
  readonly labels?: readonly string[]
}

/** Where a row stands: lines count from 1. */
export interface Place {
  readonly file: string
  readonly line: number
}

/** Makes rows into records. Its errors name the place and the fault but never quote the row: errors can leave the site. */
export function rowReader(options: ReadOptions): (row: unknown, place: Place) => TextRecord {
  const { textColumn = 'text', labelColumn = 'label', sourceColumn = 'source', labels } = options
  const known = labels && new Set(labels)
  return (row, place) => {
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      throw unreadable(place, `an object with "${textColumn}" and "${labelColumn}"`, kindOf(row))
    }
    const members = row as Record<string, unknown>
    const text = members[textColumn]
    if (typeof text !== 'string' || text.trim() === '') {
      throw unreadable(place, `a text that is not blank in "${textColumn}"`, kindOf(text))
    }
    const label = scalar(members[labelColumn])
    if (!label) throw unreadable(place, `a label in "${labelColumn}"`, kindOf(members[labelColumn]))
    if (known && !known.has(label)) throw labelUnknown(labels!, `at ${place.file}:${place.line}`)
    const source = scalar(members[sourceColumn])
    return source ? { text, label, source } : { text, label }
  }
}

/** DATA_UNREADABLE for one place of a file. */
export function unreadable({ file, line }: Place, expected: string, got: string, cause?: unknown): FedsvdError {
  return new FedsvdError(
    'DATA_UNREADABLE',
    {
      expected: `${expected} at ${file}:${line}`,
      got,
      remedy: 'Correct or remove that row, or name the right columns, and start again.',
    },
    { cause },
  )
}

function scalar(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (value === '') return 'an empty text'
  if (typeof value === 'string') return value.trim() === '' ? 'only white space' : 'a text'
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
