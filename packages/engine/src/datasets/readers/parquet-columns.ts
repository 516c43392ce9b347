import type { FileMetaData, SchemaElement, SchemaTree } from 'hyparquet'
import { instantOf, instantText } from './instant-text.ts'
import { type Place, unreadable } from './place.ts'
import { Spelled } from './spelled.ts'
import { decimalText, valueText } from './value-text.ts'

/** What a column can hold, for errors. */
const READ = 'texts, numbers, truth values, dates or instants, or lists of them'

/** Makes what stands in the file into a value; null and undefined never reach it. */
type Convert = (stored: never) => unknown

/**
 * How the columns of a Parquet file become values. The library that reads the file would round decimals, cut instants
 * to milliseconds and widen float32, so it is told to leave them as they are stored.
 */
export interface ParquetColumns {
  /** The schema without what the library would convert by. */
  readonly schema: SchemaElement[]
  /** Those that are read, by name. */
  readonly converts: ReadonlyMap<string, (stored: unknown) => unknown>
}

/**
 * @param required columns without which there is no record; others of `wanted` are read where they can be
 * @throws FedsvdError DATA_UNREADABLE, with the name and the type of a required column of another kind
 */
export function parquetColumns(
  { schema }: FileMetaData,
  tree: SchemaTree,
  required: readonly string[],
  wanted: readonly string[],
  place: Place,
): ParquetColumns {
  const converts = new Map<string, (stored: unknown) => unknown>()
  for (const column of tree.children) {
    const { name } = column.element
    if (!wanted.includes(name)) continue
    const convert = columnConvert(column)
    if (typeof convert !== 'string') converts.set(name, convert)
    else if (required.includes(name)) throw unreadable(place, `${READ} in "${name}"`, `a column of type ${convert}`)
  }
  return { schema: schema.map(asStored), converts }
}

/** The type of a column that cannot be read. */
type TypeName = string

function columnConvert({ element, children }: SchemaTree): ((stored: unknown) => unknown) | TypeName {
  const leaf = children.length === 0 ? element : listElement(element, children)
  if (leaf === undefined) return typeName(element)
  const convert = leafConvert(leaf)
  if (typeof convert === 'string') return children.length === 0 ? convert : `list of ${convert}`
  const one = (stored: unknown): unknown => (stored === null || stored === undefined ? null : convert(stored as never))
  const isList = children.length > 0 || element.repetition_type === 'REPEATED'
  return isList ? (stored) => (Array.isArray(stored) ? stored.map(one) : null) : one
}

/** What a list is of, in either of the two ways that writers have; undefined for any other group. */
function listElement(
  { converted_type, logical_type }: SchemaElement,
  [repeated, ...more]: SchemaTree[],
): SchemaElement | undefined {
  const isList = converted_type === 'LIST' || logical_type?.type === 'LIST'
  if (!isList || repeated === undefined || more.length > 0) return undefined
  if (repeated.children.length === 0) return repeated.element
  const [element, ...others] = repeated.children
  return others.length === 0 && element?.children.length === 0 ? element.element : undefined
}

function typeName({ type, converted_type, logical_type, num_children }: SchemaElement): TypeName {
  return logical_type?.type ?? converted_type ?? type ?? (num_children === undefined ? 'unknown' : 'STRUCT')
}

/** Texts are decoded by the library; every other value comes as its physical type has it. */
function asStored(element: SchemaElement): SchemaElement {
  if (element.num_children !== undefined && element.type === undefined) return element
  const stored = { ...element }
  delete stored.logical_type
  delete stored.converted_type
  return isText(element) ? { ...stored, converted_type: 'UTF8' } : stored
}

const TEXTS = new Set([undefined, 'UTF8', 'STRING', 'ENUM'])
const WHOLES = new Set([undefined, 'INTEGER', 'NULL', 'INT_8', 'INT_16', 'INT_32', 'INT_64'])
const UNSIGNED = new Set(['UINT_8', 'UINT_16', 'UINT_32', 'UINT_64'])

/** The type that a writer means; the older of its two spellings where there is no newer one. */
function meaningOf({ logical_type, converted_type }: SchemaElement): string | undefined {
  return logical_type?.type ?? converted_type
}

function isText(element: SchemaElement): boolean {
  return element.type === 'BYTE_ARRAY' && TEXTS.has(meaningOf(element))
}

const asIs: Convert = (stored: unknown) => stored

function leafConvert(element: SchemaElement): Convert | TypeName {
  const meaning = meaningOf(element)
  if (isText(element)) return asIs
  if (meaning === 'DECIMAL') return decimalOf(element)
  if (meaning === 'DATE') return dateOfDays
  const isUnsigned = UNSIGNED.has(meaning ?? '') || (isInteger(element) && !element.logical_type.isSigned)
  switch (element.type) {
    case 'BOOLEAN':
    case 'DOUBLE':
      return meaning === undefined ? asIs : meaning
    case 'FLOAT':
      return meaning === undefined ? shortFloat : meaning
    case 'INT32':
      if (isUnsigned) return (stored: number) => stored >>> 0
      return WHOLES.has(meaning) ? asIs : typeName(element)
    case 'INT64':
      if (isUnsigned) return (stored: bigint) => BigInt.asUintN(64, stored)
      return WHOLES.has(meaning) ? asIs : (instantsOf(element) ?? typeName(element))
    case 'INT96':
      return (stored: bigint) => instant(nanosecondsOf(stored))
    case 'FIXED_LEN_BYTE_ARRAY':
      return meaning === 'UUID' ? uuidText : typeName(element)
    default:
      return typeName(element)
  }
}

function isInteger(element: SchemaElement): element is SchemaElement & { logical_type: { isSigned: boolean } } {
  return element.logical_type?.type === 'INTEGER'
}

/** float32 by the shortest number that rounds to it, as every writer of text spells it. */
function shortFloat(stored: number): unknown {
  if (!Number.isFinite(stored)) return stored
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(stored.toPrecision(digits))
    if (Math.fround(short) === stored) return spelledUnlessSame(short, stored)
  }
  return spelledUnlessSame(Number(stored.toPrecision(9)), stored)
}

function spelledUnlessSame(short: number, stored: number): unknown {
  return short === stored ? stored : new Spelled(valueText(short), 'a number', stored)
}

function decimalOf({ scale = 0, logical_type }: SchemaElement): Convert {
  const places = logical_type?.type === 'DECIMAL' ? logical_type.scale : scale
  return (stored: number | bigint | Uint8Array) => {
    const unscaled = stored instanceof Uint8Array ? signed(stored) : BigInt(stored)
    const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(places + 1, '0')
    const split = digits.length - places
    const text = `${unscaled < 0n ? '-' : ''}${digits.slice(0, split)}.${digits.slice(split)}`
    return new Spelled(decimalText(text), 'a number', Number(unscaled) / 10 ** places)
  }
}

/** A whole number in two's complement, the most significant byte first. */
function signed(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt.asIntN(8 * bytes.length, BigInt(`0x${Buffer.from(bytes).toString('hex')}`))
}

const dateOfDays: Convert = (days: number) => instant(BigInt(days) * 86_400_000_000_000n)

/** Nanoseconds in one unit of a column of instants; undefined for other columns. */
function instantsOf({ logical_type, converted_type }: SchemaElement): Convert | undefined {
  const unit = logical_type?.type === 'TIMESTAMP' ? logical_type.unit : undefined
  const isMillis = unit === 'MILLIS' || (unit === undefined && converted_type === 'TIMESTAMP_MILLIS')
  const isMicros = unit === 'MICROS' || (unit === undefined && converted_type === 'TIMESTAMP_MICROS')
  if (isMillis) return (stored: bigint) => instant(stored * 1_000_000n)
  if (isMicros) return (stored: bigint) => instant(stored * 1000n)
  return unit === 'NANOS' ? (stored: bigint) => instant(stored) : undefined
}

function instant(nanoseconds: bigint): Spelled {
  const milliseconds = new Date(Number(nanoseconds / 1_000_000n))
  return new Spelled(instantText(instantOf(nanoseconds)), 'a date', milliseconds)
}

/** Days since the Julian epoch in the upper 32 bits, nanoseconds of the day in the lower 64. */
function nanosecondsOf(stored: bigint): bigint {
  const days = (stored >> 64n) - 2_440_588n
  return days * 86_400_000_000_000n + (stored & 0xffff_ffff_ffff_ffffn)
}

const uuidText: Convert = (stored: Uint8Array) =>
  Buffer.from(stored)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
