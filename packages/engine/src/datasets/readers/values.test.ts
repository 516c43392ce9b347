import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import type { SchemaElement, SchemaTree } from 'hyparquet'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fingerprintRecords } from '../fingerprint/fingerprint.ts'
import { FORMER_SPELLINGS } from '../fingerprint/former-spellings.ts'
import { parquetColumns } from './parquet-columns.ts'
import { loadRecords, readableRecords } from './read-records.ts'
import { Spelled } from './spelled.ts'
import { valueText } from './value-text.ts'

/*
 * One text for one value, whatever format it comes in. DuckDB writes the files and says which values are the same: it
 * shares no code with the readers.
 */

let folder: string
let database: DuckDBConnection
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fedsvd-values-'))
  database = await (await DuckDBInstance.create(':memory:')).connect()
  await database.run("SET TimeZone = 'UTC'")
})
afterAll(() => {
  database.closeSync()
  rmSync(folder, { recursive: true })
})

/** Rows of one column of labels, in a file of each format. */
async function written(type: string, values: readonly string[], options = ''): Promise<Record<string, string>> {
  const rows = values.map((value, row) => `(${row}, 'text ${row}', ${value}::${type})`)
  await database.run(`CREATE OR REPLACE TABLE rows AS SELECT * FROM (VALUES ${rows.join(', ')}) t(row, text, label)`)
  const formats = { csv: 'FORMAT csv, HEADER', jsonl: 'FORMAT json', parquet: `FORMAT parquet${options}` }
  const paths: Record<string, string> = {}
  for (const [ending, format] of Object.entries(formats)) {
    paths[ending] = join(folder, `rows.${ending}`)
    // DuckDB widens float32 in JSON: those are other numbers
    const label = type === 'FLOAT' && ending === 'jsonl' ? 'label::VARCHAR::DOUBLE AS label' : 'label'
    await database.run(`COPY (SELECT text, ${label} FROM rows ORDER BY row) TO '${paths[ending]}' (${format})`)
  }
  return paths
}

/** Label by text, with what is left out. */
async function labelsIn(path: string): Promise<ReadonlyMap<string, string>> {
  const labels = new Map<string, string>()
  for await (const record of readableRecords(path, {}, () => {})) {
    if ('text' in record && 'label' in record) labels.set(record.text, record.label)
  }
  return labels
}

const one = async (sql: string): Promise<unknown> => (await database.runAndReadAll(sql)).getRowsJS()[0]?.[0]

const WHOLES = ['0', '1', '-1', '100', '127']
const BIG = ['9007199254740993', '9007199254740992', '9223372036854775807', "'-9223372036854775808'"]
const FLOATS = ['0.1', '1', '-0.0', '2.5', '1e-7', '123456.789', '1e20', '1.5e-5', '0.30000000000000004', '1e23']
const TIMES = ["'2024-01-31'", "'2024-01-31 12:00:00'", "'1969-12-31 23:59:59.5'", "'2024-02-29 00:00:01'"]

const MATRIX: readonly (readonly [
  type: string,
  values: readonly string[],
  spelled?: Readonly<Record<number, string>>,
])[] = [
  ['BOOLEAN', ['true', 'false'], { 0: 'true' }],
  ['TINYINT', WHOLES, { 3: '100' }],
  ['INTEGER', [...WHOLES, '2147483647', "'-2147483648'"]],
  ['UINTEGER', ['0', '4294967295', '2147483648'], { 1: '4294967295' }],
  ['BIGINT', [...WHOLES, ...BIG], { 5: '9007199254740993' }],
  ['UBIGINT', ['0', '18446744073709551615', '9223372036854775808'], { 1: '18446744073709551615' }],
  ['FLOAT', [...FLOATS, '16777216', '3.4028235e38', '1e-45'], { 0: '0.1', 1: '1', 2: '0' }],
  ['DOUBLE', [...FLOATS, '9007199254740994', '1.7976931348623157e308', '5e-324'], { 0: '0.1', 4: '1e-7' }],
  ['DECIMAL(4,2)', ['1.50', '-0.05', '0', '12.00', '99.99'], { 0: '1.5', 1: '-0.05', 2: '0', 3: '12' }],
  ['DECIMAL(9,3)', ['1.500', '123456.789', '-1.001']],
  ['DECIMAL(18,9)', ['0.000000001', '123456789.123456789', '123456789.123456788'], { 0: '1e-9' }],
  ['DECIMAL(38,10)', ['1234567890123456789012345678.0123456789', '-0.5', '1234567890123456789012345678.012345678']],
  ['DATE', ["'2024-01-31'", "'1969-07-20'", "'9999-12-31'"], { 0: '2024-01-31' }],
  ['TIMESTAMP', [...TIMES, "'2024-01-31 12:00:00.123456'"], { 0: '2024-01-31', 1: '2024-01-31T12:00:00.000Z' }],
  ['TIMESTAMP_S', TIMES.filter((time) => !time.includes('.'))],
  ['TIMESTAMP_MS', [...TIMES, "'2024-01-31 12:00:00.123'"]],
  ['TIMESTAMP_NS', [...TIMES, "'2024-01-31 12:00:00.123456789'"], { 4: '2024-01-31T12:00:00.123456789Z' }],
  ['TIMESTAMPTZ', ["'2024-01-31 13:00:00+01'", "'2024-01-31 12:00:00.5+00'"], { 0: '2024-01-31T12:00:00.000Z' }],
  ['VARCHAR', ["'ham'", "'007'", "'1E50'", "'Grün 漢👋'", '\'a,"b"\'', "'2024-13-45 99:00'", "'None'", "'NA'"]],
  ['UUID', ["'6f9619ff-8b86-d011-b42d-00c04fc964ff'"], { 0: '6f9619ff-8b86-d011-b42d-00c04fc964ff' }],
]

describe('one text for one value', () => {
  it.each(MATRIX.map(([type, values, spelled = {}]) => ({ type, values, spelled })))('$type', async (row) => {
    const { type, values, spelled } = row
    const paths = await written(type, values)
    const parquet = await labelsIn(paths.parquet!)
    expect(await labelsIn(paths.csv!)).toEqual(parquet)
    expect(await labelsIn(paths.jsonl!)).toEqual(parquet)
    expect(parquet.size).toBe(values.length)
    for (const [row, text] of Object.entries(spelled)) expect(parquet.get(`text ${row}`)).toBe(text)
    // what DuckDB tells apart stays apart, and it reads each label back as the value
    expect(BigInt(new Set(parquet.values()).size)).toBe(await one('SELECT count(DISTINCT label) FROM rows'))
    const pairs = [...parquet].map(([text, label]) => `('${text}', '${label.replaceAll("'", "''")}')`)
    const back = `SELECT bool_and(rows.label = CAST(ours.label AS ${type})) FROM rows JOIN (VALUES ${pairs.join(', ')}) ours(text, label) USING (text)`
    expect(await one(back), pairs.join()).toBe(true)
    const fingerprints = [paths.csv!, paths.jsonl!, paths.parquet!].map(async (path) =>
      fingerprintRecords(await loadRecords(path)),
    )
    expect(new Set(await Promise.all(fingerprints)).size).toBe(1)
  })

  it.each<[string, string[]]>([
    ['VARCHAR', ["'a'", 'NULL', "''", "'b'"]],
    ['DOUBLE', ['1', 'NULL', "'NaN'", "'inf'", "'-inf'", '2']],
    ['FLOAT', ["'NaN'", '0.1']],
    ['TIMESTAMP', ["'infinity'", "'2024-01-31'"]],
    ['BIGINT', ['NULL', '1']],
  ])('a %s that is missing is no label in any format', async (type, values) => {
    const paths = await written(type, values)
    const parquet = await labelsIn(paths.parquet!)
    const there = await one(
      `SELECT count(*) FROM rows WHERE coalesce(nullif(label::VARCHAR, ''), 'nan') NOT IN ('nan', 'inf', '-inf', 'infinity')`,
    )
    expect(BigInt(parquet.size)).toBe(there)
    expect(await labelsIn(paths.csv!)).toEqual(parquet)
    expect(await labelsIn(paths.jsonl!)).toEqual(parquet)
  })

  it.each([
    ", PARQUET_VERSION 'V2'",
    ", PARQUET_VERSION 'V2', CODEC 'zstd'",
    ", CODEC 'lz4_raw', DICTIONARY_SIZE_LIMIT 1",
    ', ROW_GROUP_SIZE 2048',
  ])('whatever pages a Parquet file has%s', async (options) => {
    const select = `SELECT 'text ' || row AS text, (row % 7 + 0.25)::DECIMAL(9,2) AS label, 'x ' || (row % 9) AS source FROM range(3000) t(row)`
    const path = join(folder, 'pages.parquet')
    await database.run(`COPY (${select}) TO '${path}' (FORMAT parquet${options})`)
    const expected = Array.from({ length: 3000 }, (_, row) => ({
      text: `text ${row}`,
      label: `${row % 7}.25`,
      source: `x ${row % 9}`,
    }))
    expect(await loadRecords(path)).toEqual(expected)
  })

  it.each([
    ['True', 'true'],
    ['1.', '1'],
    ['-0.0', '0'],
    ['250.10', '250.1'],
    ['1e+20', '100000000000000000000'],
    ['1.0E-7', '1e-7'],
    ['2024-01-31T12:00:00+05:30', '2024-01-31T06:30:00.000Z'],
    ['2024-01-31 00:00:00 UTC', '2024-01-31'],
    ['2024-02-30 12:00:00', '2024-02-30 12:00:00'],
    ['007', '007'],
    ['1E50', '1E50'],
    ['+1', '+1'],
    ['1,5', '1,5'],
    [' 1.0', ' 1.0'],
    ['Infinity', undefined],
    ['-nan', undefined],
  ])('%j is %j', (text, expected) => {
    expect(valueText(text)).toBe(expected)
  })

  it('numbers of JSON keep the digits that a float does not hold', async () => {
    const path = join(folder, 'digits.jsonl')
    writeFileSync(
      path,
      ['12345678.123456789', '12345678.1234567891', '0.1', '1e2']
        .map((label, row) => `{"text":"${row}","label":${label}}`)
        .join('\n'),
    )
    const labels = (await loadRecords(path)).map(({ label }) => label)
    expect(labels).toEqual(['12345678.123456789', '12345678.1234567891', '0.1', '100'])
  })
})

describe('a column of Parquet that is refused by name and type', () => {
  it.each([
    ['TIME', "TIME '12:00'", /"label" at .*rows.parquet, got a column of type TIME/],
    ['STRUCT(a INTEGER)', '{a: 1}', /"label" at .*, got a column of type STRUCT/],
    ['MAP(VARCHAR, INTEGER)', "MAP {'a': 1}", /"label" at .*, got a column of type MAP/],
    ['INTEGER[][]', '[[1]]', /"label" at .*, got a column of type LIST/],
    ['JSON', `'"a"'`, /"label" at .*, got a column of type JSON/],
    ['INTERVAL', "INTERVAL '1 day'", /"label" at .*, got a column of type INTERVAL/],
  ])('%s', async (type, value, message) => {
    const { parquet } = await written(type, [value])
    await expect(loadRecords(parquet!)).rejects.toThrow(message)
    // as a column that nobody asked for it is no matter
    expect(await loadRecords(parquet!, { labelColumn: 'text', sourceColumn: 'label' })).toHaveLength(1)
  })
})

describe('types that DuckDB does not write', () => {
  const valueIn = (element: Partial<SchemaElement>, stored: unknown): unknown => {
    const leaf = { repetition_type: 'OPTIONAL', name: 'label', ...element } as SchemaElement
    const tree = { children: [{ children: [], element: leaf }] } as unknown as SchemaTree
    const metadata = { schema: [{ name: 'schema', num_children: 1 }, leaf] } as never
    return parquetColumns(metadata, tree, ['label'], ['label'], { file: 'f' }).converts.get('label')!(stored)
  }

  it('INT96, decimals in bytes of any length, instants of the older kind', () => {
    const noon = ((2_440_588n + 19_753n) << 64n) | 43_200_000_000_001n
    expect(valueText(valueIn({ type: 'INT96' }, noon))).toBe('2024-01-31T12:00:00.000000001Z')
    const decimal = { type: 'BYTE_ARRAY', converted_type: 'DECIMAL', scale: 2, precision: 9 } as const
    expect(valueText(valueIn(decimal, Uint8Array.of(0xff, 0x6a)))).toBe('-1.5')
    expect(valueText(valueIn(decimal, new Uint8Array()))).toBe('0')
    expect(valueText(valueIn({ type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' }, 1n))).toBe(
      '1970-01-01T00:00:00.001Z',
    )
    expect(valueIn({ type: 'INT32', converted_type: 'UINT_32' }, -1)).toBe(4_294_967_295)
    expect(valueIn({ type: 'INT32' }, null)).toBeNull()
  })

  it.each<[Partial<SchemaElement>, string]>([
    [{ type: 'FIXED_LEN_BYTE_ARRAY', type_length: 2, logical_type: { type: 'FLOAT16' } }, 'FLOAT16'],
    [{ type: 'FIXED_LEN_BYTE_ARRAY', type_length: 12, converted_type: 'INTERVAL' }, 'INTERVAL'],
    [{ type: 'FIXED_LEN_BYTE_ARRAY', type_length: 5 }, 'FIXED_LEN_BYTE_ARRAY'],
    [{ type: 'BYTE_ARRAY', converted_type: 'BSON' }, 'BSON'],
    [{ type: 'BYTE_ARRAY', logical_type: { type: 'GEOMETRY' } }, 'GEOMETRY'],
  ])('%j', (element, type) => {
    expect(() => valueIn(element, new Uint8Array())).toThrow(
      new RegExp(`in "label" at f, got a column of type ${type}`),
    )
  })
})

it('earlier spellings stay known: those of texts, and those of the first release', () => {
  const [second, first] = FORMER_SPELLINGS
  const micros = new Spelled('2024-01-31T12:00:00.123456Z', 'a date', new Date('2024-01-31T12:00:00.123Z'))
  expect([second!('2.50'), second!('True'), second!(micros)]).toEqual(['2.50', 'true', '2024-01-31T12:00:00.123Z'])
  expect([first!('2.50'), first!('True'), first!(1.5), first!(micros)]).toEqual(['2.50', 'True', '1.5', undefined])
})
