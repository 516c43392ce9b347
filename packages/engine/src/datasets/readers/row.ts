import type { FedsvdError } from '@fedsvd/core/errors'
import type { Task } from '@fedsvd/core/lora'
import { labelUnknown } from '../encoding/label-set.ts'
import type { Spelling } from '../fingerprint/former-spellings.ts'
import type { SiteRecord } from '../text-record.ts'
import type { OnBadText } from './bad-text.ts'
import { type ColumnNames, requiredColumns, taskOfColumns } from './columns.ts'
import type { CsvDialect } from './csv-dialect.ts'
import { kindOf, type Place, placeText, unreadable } from './place.ts'
import { valueText } from './value-text.ts'

/** How the columns (CSV, Parquet) or members (JSONL) of a file map to a record, and which labels it may hold. */
export interface ReadOptions extends ColumnNames {
  /** Default: the task whose columns are named, else sequence classification. */
  readonly task?: Task | undefined
  /** WHATWG label of the encoding of text files; default UTF-8, and anything else is refused. */
  readonly encoding?: string | undefined
  /** Between the fields of a text table, one character; default: by the ending, a comma or a tab. */
  readonly delimiter?: string | undefined
  /**
   * Whether fields may stand in double quotes; default: in .csv files they may, in .tsv files a quote is a character.
   */
  readonly quoting?: CsvDialect['quoting'] | undefined
  /**
   * Told of bytes that are no text, and of NUL bytes; the file is read on, with what this gives in their place.
   * Default: the first of them is refused.
   */
  readonly onBadText?: OnBadText | undefined
  /** What spells labels, tags and units; default: `valueText`. */
  readonly spelling?: Spelling | undefined
  /** When given, any other label or tag is refused with LABEL_UNKNOWN. */
  readonly labels?: readonly string[] | undefined
}

/** One row as a file holds it. */
export interface Row {
  readonly value: unknown
  readonly place: Place
  /** Why it is no record, where the file alone shows that; the rows after it can be read. */
  readonly fault?: FedsvdError
}

/** A row that cannot be read, in its place among the others. */
export function faultyRow(place: Place, expected: string, got: string, cause?: unknown): Row {
  return { value: undefined, place, fault: unreadable(place, expected, got, cause) }
}

/**
 * Makes rows into records. Its errors name the place and the fault but never quote the row: errors can leave the site.
 */
export function rowReader(options: ReadOptions): (row: Row) => SiteRecord {
  const task = taskOfColumns(options, options.task)
  const columns = requiredColumns(options, task)
  const { sourceColumn = 'source', unitColumn, labels, spelling = valueText } = options
  const known = labels && new Set(labels.map((label) => spelling(label) ?? label))
  const [first = '', second = '', third = ''] = columns

  const checked = (label: string, place: Place): string => {
    if (known && !known.has(label)) throw labelUnknown(labels!, `at ${placeText(place)}`)
    return label
  }
  const fieldsOf = (members: Members, place: Place): SiteRecord => {
    switch (task) {
      case 'sequence-classification': {
        const text = textIn(members, first, place)
        if (columns.length === 2) return { text, label: checked(labelIn(members, second, place, spelling), place) }
        return {
          text,
          pair: textIn(members, second, place),
          label: checked(labelIn(members, third, place, spelling), place),
        }
      }
      case 'token-classification': {
        const words = wordsIn(members, first, place)
        const tags = wordsIn(members, second, place, spelling)
        if (words.length === tags.length) return { task, words, tags: tags.map((tag) => checked(tag, place)) }
        throw unreadable(
          place,
          `as many tags in "${second}" as words in "${first}"`,
          `${tags.length} for ${words.length}`,
        )
      }
      case 'causal-lm':
        return { task, text: textIn(members, first, place) }
      case 'instruction-tuning':
        return { task, prompt: textIn(members, first, place), answer: textIn(members, second, place) }
    }
  }
  return ({ value, place, fault }) => {
    if (fault !== undefined) throw fault
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const names = columns.map((column) => `"${column}"`)
      throw unreadable(place, `an object with ${names.join(' and ')}`, kindOf(value))
    }
    const members = value as Members
    const record = fieldsOf(members, place)
    const source = wordText(members[sourceColumn])
    const unit = unitColumn === undefined ? undefined : unitIn(members[unitColumn])
    return { ...record, ...(source && { source }), ...(unit && { unit }) }
  }
}

type Members = Readonly<Record<string, unknown>>

function textIn(members: Members, column: string, place: Place): string {
  const text = members[column]
  requireWhole(text, place)
  if (typeof text === 'string' && text.trim() !== '') return text
  throw unreadable(place, `a text that is not blank in "${column}"`, kindOf(text))
}

function labelIn(members: Members, column: string, place: Place, spelling: Spelling): string {
  const label = spelling(members[column])
  requireWhole(label, place)
  if (label) return label
  throw unreadable(place, `a label in "${column}"`, kindOf(members[column]))
}

/** Half a character, which JSON can spell, would become another one on its way to the tokenizer. */
function requireWhole(text: unknown, place: Place): void {
  if (typeof text !== 'string') return
  if (/\p{Surrogate}/u.test(text)) throw unreadable(place, 'whole characters', 'half of one (a lone surrogate)')
}

/** A list of words, or one text whose words stand between white space, as CSV files have them. */
export function wordsIn(
  members: Members,
  column: string,
  place: Place,
  toText: Spelling = wordText,
): readonly string[] {
  const value = members[column]
  const words: readonly unknown[] = typeof value === 'string' ? value.split(/\s+/).filter(Boolean) : listOf(value)
  const found = words.flatMap((word) => toText(word) || [])
  for (const word of found) requireWhole(word, place)
  if (found.length > 0 && found.length === words.length) return found
  throw unreadable(
    place,
    `words, none of them empty, in "${column}"`,
    words.length > 0 ? 'an empty one' : kindOf(value),
  )
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** One text for one person: without white space around it and in one normal form. Blank is no person. */
function unitIn(value: unknown): string | undefined {
  return valueText(value)?.normalize('NFC').trim()
}

/** A text as it stands, and any other value in its one spelling: the word "NaN" is a word. */
function wordText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : valueText(value)
}
