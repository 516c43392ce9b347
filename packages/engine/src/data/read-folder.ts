import { createReadStream } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { Task } from '@fedsvd/core/adapters'
import { FedsvdError } from '@fedsvd/core/errors'
import type { ColumnNames } from './columns.ts'
import { LONGEST_LINE } from './lines.ts'
import { kindOf, placeText, unreadable } from './place.ts'
import { csvRows } from './read-csv.ts'
import { jsonlRows } from './read-jsonl.ts'
import type { Row } from './row.ts'
import { validUtf8Length } from './utf8.ts'

/** What a file of labels in a folder may be called. */
const LABEL_FILES = ['labels.csv', 'labels.tsv', 'labels.jsonl']

/** The column of a labels file that names the text's file. */
const FILE_COLUMN = 'file'

/**
 * Reads a folder of text files, each of them one record, in the order of their names.
 *
 * - With `labels.csv`, `labels.tsv` or `labels.jsonl` in it, whose columns are `file` and the label column: those files, in
 *   the order of that list.
 * - Without: one folder for each label, with `.txt` files in it. For `causal-lm`, which has no labels, the `.txt` files of
 *   the folder itself.
 *
 * Names that begin with a dot are passed over; anything else that is not expected is refused, because a file that is
 * silently left out is a record that nobody misses.
 */
export async function* folderRows(folder: string, task: Task, names: ColumnNames): AsyncGenerator<Row> {
  const { textColumn = 'text', labelColumn = 'label', unitColumn } = names
  if (task !== 'sequence-classification' && task !== 'causal-lm') {
    throw refused(`a file with one record in each row, for ${task}`, folder)
  }
  const { files, folders } = await entriesOf(folder)
  if (task === 'causal-lm') {
    if (unitColumn !== undefined) throw noUnits(folder, unitColumn)
    if (folders.length > 0) throw refused('text files only, without folders', join(folder, folders[0]!))
    for (const name of files) yield await textRow(join(folder, name), textColumn)
    return
  }
  const labelFile = files.find((name) => LABEL_FILES.includes(name))
  if (labelFile !== undefined) {
    yield* listedRows(folder, labelFile, files, { textColumn, labelColumn, unitColumn })
    return
  }
  if (unitColumn !== undefined) throw noUnits(folder, unitColumn)
  if (files.length > 0)
    throw refused(`a folder for each label, or ${LABEL_FILES[0]} beside the texts`, join(folder, files[0]!))
  for (const label of folders) {
    const inside = await entriesOf(join(folder, label))
    if (inside.folders.length > 0) throw refused('text files only', join(folder, label, inside.folders[0]!))
    for (const name of inside.files)
      yield await textRow(join(folder, label, name), textColumn, { [labelColumn]: label })
  }
}

interface ListedColumns {
  readonly textColumn: string
  readonly labelColumn: string
  readonly unitColumn: string | undefined
}

async function* listedRows(
  folder: string,
  labelFile: string,
  files: readonly string[],
  { textColumn, labelColumn, unitColumn }: ListedColumns,
): AsyncGenerator<Row> {
  const path = join(folder, labelFile)
  const left = new Set(files)
  left.delete(labelFile)
  for await (const { value, place } of labelRows(path, [
    labelColumn,
    ...(unitColumn === undefined ? [] : [unitColumn]),
  ])) {
    const row = Object(value) as Record<string, unknown>
    const name = row[FILE_COLUMN]
    if (typeof name !== 'string' || !left.delete(name)) {
      const got = typeof name === 'string' ? 'another name, or one that stands there before' : kindOf(name)
      throw unreadable(place, `the name of a text file of this folder in "${FILE_COLUMN}"`, got)
    }
    yield await textRow(join(folder, name), textColumn, row)
  }
  const [unlisted] = left
  if (unlisted !== undefined) throw refused(`a label for every file in ${labelFile}`, join(folder, unlisted))
}

function labelRows(path: string, columns: readonly string[]): AsyncGenerator<Row> {
  const bytes = createReadStream(path)
  const extension = extname(path)
  if (extension === '.jsonl') return jsonlRows(bytes, path)
  return csvRows(bytes, path, extension === '.tsv' ? '\t' : ',', [FILE_COLUMN, ...columns])
}

async function textRow(file: string, textColumn: string, more: Readonly<Record<string, unknown>> = {}): Promise<Row> {
  const place = { file }
  if (extname(file).toLowerCase() !== '.txt') throw refused('text files, ending in .txt', file)
  await using handle = await open(file)
  const { size } = await handle.stat()
  if (size > LONGEST_LINE) throw unreadable(place, `a text of at most ${LONGEST_LINE} bytes`, 'a longer one')
  const bytes = await handle.readFile()
  const valid = validUtf8Length(bytes)
  if (valid < bytes.length) throw unreadable(place, 'UTF-8 text', `other bytes from byte ${valid + 1} on`)
  return { value: { ...more, [textColumn]: new TextDecoder().decode(bytes) }, place }
}

async function entriesOf(folder: string): Promise<{ readonly files: string[]; readonly folders: string[] }> {
  const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !name.startsWith('.'))
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  const files = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name)
  return { files: files.sort(), folders: folders.sort() }
}

function noUnits(folder: string, unitColumn: string): FedsvdError {
  return refused(`${LABEL_FILES[0]} with a column "${unitColumn}" beside the texts, since persons are the unit`, folder)
}

function refused(expected: string, path: string): FedsvdError {
  return new FedsvdError('DATA_UNREADABLE', {
    expected,
    got: placeText({ file: path }),
    remedy: 'Move that file out of the folder, or arrange the folder as docs/reference/data.md says.',
  })
}
