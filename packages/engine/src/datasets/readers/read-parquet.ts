import { FedsvdError } from '@fedsvd/core/errors'
import type { FileMetaData } from 'hyparquet'
import { foreignTable } from './foreign-data.ts'
import { parquetColumns } from './parquet-columns.ts'
import { placeText, unreadable, withoutColumns } from './place.ts'
import { faultyRow, type Row } from './row.ts'

/**
 * A row group is decoded as a whole, so it has to fit into memory: bytes of the columns that are read, uncompressed.
 */
export const LARGEST_ROW_GROUP = 512 * 1024 * 1024

/** What stands in a row where its bytes are no text, so that the error can name the row. */
const NOT_UTF8 = Symbol('not UTF-8')

/**
 * Reads the rows of a Parquet file, one row group at a time and only the columns that are asked for. Places are row
 * numbers, from 1. Compressed by any codec that writers use: snappy, gzip, zstd, brotli, lz4.
 */
export async function* parquetRows(
  file: string,
  required: readonly string[],
  wanted: readonly string[],
): AsyncGenerator<Row> {
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import('hyparquet')
  const { compressors } = await import('hyparquet-compressors')
  const buffer = await asyncBufferFromFile(file)
  requireParquet(Buffer.from(await buffer.slice(0, FIRST_BYTES)), { file })
  requirePlainFooter(await buffer.slice(Math.max(0, buffer.byteLength - MAGIC_BYTES)), { file })
  const metadata = await sound(() => parquetMetadataAsync(buffer, { geoparquet: false }), { file })
  const tree = parquetSchema(metadata)
  const present = tree.children.map(({ element }) => element.name)
  const missing = required.filter((column) => !present.includes(column))
  if (missing.length > 0) {
    throw withoutColumns({ file }, required, present)
  }
  const { schema, converts } = parquetColumns(metadata, tree, required, wanted, { file })
  const columns = [...converts.keys()]
  const plain = {
    file: buffer,
    metadata: { ...metadata, schema },
    columns,
    compressors,
    utf8: false,
    geoparquet: false,
  }
  let rowStart = 0
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows)
    requirePlainColumns(group, columns, { file })
    requireSmall(group, columns, { file, row: rowStart + 1 })
    const options = { ...plain, rowStart, rowEnd, parsers: { stringFromBytes } }
    const rows = await sound(() => parquetReadObjects(options), { file, row: rowStart + 1 })
    for (const [index, stored] of rows.entries()) {
      const place = { file, row: rowStart + index + 1 }
      const value = Object.fromEntries(columns.map((column) => [column, converts.get(column)!(stored[column])]))
      yield Object.values(value).some(isNotUtf8) ? faultyRow(place, 'UTF-8 text', 'other bytes') : { value, place }
    }
    rowStart = rowEnd
  }
}

/** The last bytes of a file whose footer is encrypted: `PARE` in place of `PAR1`. */
const MAGIC_BYTES = 4

/** So many of the first bytes tell what a file is that is no Parquet file. */
const FIRST_BYTES = 512

/** @throws FedsvdError DATA_UNREADABLE naming what the file is in place of a Parquet file */
function requireParquet(first: Buffer, place: { readonly file: string }): void {
  if (/^PAR[1E]/.test(first.toString('latin1', 0, MAGIC_BYTES))) return
  const { got, remedy } = foreignTable(first) ?? (first.length === 0 ? EMPTY : OTHER)
  throw unreadable(place, 'a Parquet file', got, undefined, remedy)
}

const EMPTY = { got: 'an empty file', remedy: 'Copy or write it again.' }
const OTHER = {
  got: 'a file that does not begin as one',
  remedy: 'End its name in .csv, .tsv or .jsonl if it is text, or write it again.',
}

/** Writers may encrypt single columns and leave the footer as it is. */
function requirePlainColumns(
  { columns }: FileMetaData['row_groups'][number],
  names: readonly string[],
  place: { readonly file: string },
): void {
  for (const { meta_data, crypto_metadata, encrypted_column_metadata } of columns) {
    const name = meta_data?.path_in_schema[0]
    const isEncrypted = crypto_metadata !== undefined || encrypted_column_metadata !== undefined
    // Without its metadata, which are encrypted as well, nobody knows which column it is.
    if (!isEncrypted || (name !== undefined && !names.includes(name))) continue
    throw unreadable(
      place,
      'columns that are not encrypted',
      name === undefined ? 'an encrypted one' : `the encrypted column "${name}"`,
      undefined,
      'Write them without encryption.',
    )
  }
}

function requirePlainFooter(last: ArrayBuffer, place: { readonly file: string }): void {
  if (Buffer.from(last).toString('latin1') !== 'PARE') return
  throw unreadable(
    place,
    'a Parquet file that is not encrypted',
    'an encrypted one',
    undefined,
    'Write it without encryption.',
  )
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function stringFromBytes(bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined) return undefined
  try {
    return decoder.decode(bytes)
  } catch {
    return NOT_UTF8
  }
}

function isNotUtf8(value: unknown): boolean {
  return value === NOT_UTF8 || (Array.isArray(value) && value.includes(NOT_UTF8))
}

function requireSmall(
  { columns }: FileMetaData['row_groups'][number],
  names: readonly string[],
  place: { readonly file: string; readonly row: number },
): void {
  const read = columns.filter(({ meta_data }) => names.includes(meta_data?.path_in_schema[0] ?? ''))
  const bytes = read.reduce((sum, { meta_data }) => sum + Number(meta_data?.total_uncompressed_size ?? 0), 0)
  if (bytes <= LARGEST_ROW_GROUP) return
  throw new FedsvdError('DATA_UNREADABLE', {
    expected: `row groups of at most ${LARGEST_ROW_GROUP} bytes at ${placeText(place)}`,
    got: `one of ${bytes}`,
    remedy: 'Write the file again with fewer rows in a group, such as 10,000.',
  })
}

/** The reader's own messages may quote the file, so they are kept as the cause only. */
async function sound<T>(read: () => Promise<T>, place: { readonly file: string; readonly row?: number }): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).syscall !== undefined) throw cause
    throw unreadable(place, 'a sound Parquet file', 'one that cannot be decoded', cause)
  }
}
