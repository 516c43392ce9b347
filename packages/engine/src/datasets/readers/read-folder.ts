import { createReadStream } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { Readable } from 'node:stream'
import { FedsvdError } from '@fedsvd/core/errors'
import type { Task } from '@fedsvd/core/lora'
import { LABEL_FILES } from './label-files.ts'
import { LONGEST_LINE } from './lines.ts'
import { kindOf, placeText } from './place.ts'
import { CSV, csvRows, TSV } from './read-csv.ts'
import { jsonlRows } from './read-jsonl.ts'
import { faultyRow, type ReadOptions, type Row } from './row.ts'
import { textBytes } from './text-bytes.ts'

/** The column of a labels file that names the text's file. */
const FILE_COLUMN = 'file'

/**
 * Reads a folder of text files, each of them one record, in the order of their names.
 *
 * - With `labels.csv`, `labels.tsv` or `labels.jsonl` in it, whose columns are `file` and the label column: those
 *   files, in the order of that list.
 * - Without: one folder for each label, with `.txt` files in it. For `causal-lm`, which has no labels, the `.txt` files
 *   of the folder itself.
 *
 * Names that begin with a dot are passed over; anything else that is not expected is refused, because a file that is
 * silently left out is a record that nobody misses.
 */
export async function* folderRows(folder: string, task: Task, options: ReadOptions): AsyncGenerator<Row> {
  const { textColumn = 'text', labelColumn = 'label', unitColumn, encoding, onBadText } = options
  if (task !== 'sequence-classification' && task !== 'causal-lm') {
    throw refused(`a file with one record in each row, for ${task}`, folder)
  }
  const { files, folders } = await entriesOf(folder)
  if (task === 'causal-lm') {
    if (unitColumn !== undefined) throw noUnits(folder, unitColumn)
    for (const name of folders) yield misplaced('text files only, without folders', join(folder, name))
    for (const name of files) yield await textRow(join(folder, name), { textColumn, encoding, onBadText })
    return
  }
  const labelFile = files.find((name) => LABEL_FILES.includes(name))
  if (labelFile !== undefined) {
    yield* listedRows(folder, labelFile, files, { textColumn, labelColumn, unitColumn, encoding, onBadText })
    return
  }
  if (unitColumn !== undefined) throw noUnits(folder, unitColumn)
  if (files.length > 0)
    throw refused(`a folder for each label, or ${LABEL_FILES[0]} beside the texts`, join(folder, files[0]!))
  for (const label of folders) {
    const inside = await entriesOf(join(folder, label))
    for (const name of inside.folders) yield misplaced('text files only', join(folder, label, name))
    for (const name of inside.files)
      yield await textRow(
        join(folder, label, name),
        { textColumn, encoding, onBadText },
        { [labelColumn]: label.normalize('NFC') },
      )
  }
}

interface TextOptions extends Pick<ReadOptions, 'encoding' | 'onBadText'> {
  readonly textColumn: string
}

interface ListedColumns extends TextOptions {
  readonly labelColumn: string
  readonly unitColumn: string | undefined
}

async function* listedRows(
  folder: string,
  labelFile: string,
  files: readonly string[],
  { labelColumn, unitColumn, ...options }: ListedColumns,
): AsyncGenerator<Row> {
  const path = join(folder, labelFile)
  // by their names in one normal form: a list made on another system may spell an accent as two characters
  const left = new Map(files.filter((name) => name !== labelFile).map((name) => [name.normalize('NFC'), name]))
  const columns = [labelColumn, ...(unitColumn === undefined ? [] : [unitColumn])]
  for await (const labelRow of labelRows(path, columns, options)) {
    const { value, place, fault } = labelRow
    if (fault !== undefined) {
      yield labelRow
      continue
    }
    const row = Object(value) as Record<string, unknown>
    const listed = row[FILE_COLUMN]
    const name = typeof listed === 'string' ? left.get(listed.normalize('NFC')) : undefined
    if (name === undefined) {
      const got = typeof listed === 'string' ? 'another name, or one that stands there before' : kindOf(listed)
      yield faultyRow(place, `the name of a text file of this folder in "${FILE_COLUMN}"`, got)
      continue
    }
    left.delete(name.normalize('NFC'))
    yield await textRow(join(folder, name), options, row)
  }
  for (const unlisted of left.values())
    yield misplaced(`a label for every file in ${labelFile}`, join(folder, unlisted))
}

function labelRows(path: string, columns: readonly string[], { onBadText }: TextOptions): AsyncGenerator<Row> {
  const bytes = textBytes(createReadStream(path), path, undefined, onBadText)
  const extension = extname(path)
  if (extension === '.jsonl') return jsonlRows(bytes, path)
  return csvRows(bytes, path, extension === '.tsv' ? TSV : CSV, [FILE_COLUMN, ...columns])
}

async function textRow(
  file: string,
  { textColumn, encoding, onBadText }: TextOptions,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Row> {
  const place = { file }
  if (extname(file).toLowerCase() !== '.txt') return misplaced('text files, ending in .txt', file)
  await using handle = await open(file)
  const { size } = await handle.stat()
  if (size > LONGEST_LINE) return faultyRow(place, `a text of at most ${LONGEST_LINE} bytes`, 'a longer one')
  const chunks: Buffer[] = []
  for await (const chunk of textBytes(Readable.from([await handle.readFile()]), file, encoding, onBadText))
    chunks.push(chunk)
  return { value: { ...more, [textColumn]: Buffer.concat(chunks).toString('utf8') }, place }
}

/** Files and folders by name, those behind symbolic links included. */
async function entriesOf(folder: string): Promise<{ readonly files: string[]; readonly folders: string[] }> {
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.')).sort()
  const kinds = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).isDirectory()))
  return { files: names.filter((_, at) => !kinds[at]), folders: names.filter((_, at) => kinds[at]) }
}

function noUnits(folder: string, unitColumn: string): FedsvdError {
  return refused(`${LABEL_FILES[0]} with a column "${unitColumn}" beside the texts, since persons are the unit`, folder)
}

/** Something in the folder that is not expected, in the place of a row. */
function misplaced(expected: string, file: string): Row {
  return { value: undefined, place: { file }, fault: refused(expected, file) }
}

function refused(expected: string, path: string): FedsvdError {
  return new FedsvdError('DATA_UNREADABLE', {
    expected,
    got: placeText({ file: path }),
    remedy: 'Move that file out of the folder, or arrange the folder as docs/reference/data.md says.',
  })
}
