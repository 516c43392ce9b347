import { instantText, spelledInstant } from './instant-text.ts'
import { Spelled } from './spelled.ts'

/**
 * The one text of one value, whatever format and type it was stored in: a label `1` is the same label from CSV, JSONL
 * and Parquet, as an integer, as a float that is whole, as a decimal, or as text.
 *
 * - whole numbers without point and exponent; other numbers without zeros at their end, as the shortest text that reads
 *   back;
 * - dates as `2024-01-31`, instants as `2024-01-31T12:00:00.000Z` (to the microsecond or nanosecond where they have
 *   them), and at midnight UTC as the date; a time without a zone counts as UTC;
 * - booleans as `true` and `false`;
 * - texts that spell a number as writers of CSV do (`1.0`, `2.50`, `1e-07`, not `007` and not `1E5`), an instant
 *   (`2024-01-31 13:00:00+01`) or a truth value (`True`, `FALSE`) as the value they spell; any other text as it stands;
 * - undefined for what says that there is no value: null, NaN and infinity, also as texts.
 */
export function valueText(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return spelledValue(value)
    case 'number':
      return Number.isFinite(value) ? numberText(value) : undefined
    case 'bigint':
    case 'boolean':
      return String(value)
    case 'object':
      return value instanceof Spelled ? value.text : undefined
    default:
      return undefined
  }
}

/** A number in full, without the zeros that some writers put before it. */
const DECIMAL = /^(-?)(0|[1-9]\d*)(?:\.(\d*))?$/
/**
 * With an exponent, as C, Python, JavaScript (`1e+20`) and Java (`1.0E20`) write floats; `1E50` is a code of ICD-11.
 */
const FLOAT = /^-?\d+(?:\.\d*[eE][+-]?|[eE][+-])\d+$/

function spelledValue(text: string): string | undefined {
  if (/^[+-]?(nan|inf|infinity)$/i.test(text)) return undefined
  if (/^(true|false)$/i.test(text)) return text.toLowerCase()
  if (FLOAT.test(text)) return valueText(Number(text))
  const instant = spelledInstant(text)
  return instant === undefined ? decimalText(text) : instantText(instant)
}

/**
 * A decimal number of any length in its one spelling, which is that of a float wherever a float holds the same digits;
 * any other text as it stands.
 */
export function decimalText(text: string): string {
  const found = DECIMAL.exec(text)
  if (found === null) return text
  const [, sign = '', whole = '', zeros = ''] = found
  const fraction = zeros.replace(/0+$/, '')
  if (fraction === '') return whole === '0' ? '0' : `${sign}${whole}`
  if (whole !== '0' || !fraction.startsWith('000000')) return `${sign}${whole}.${fraction}`
  const first = fraction.search(/[1-9]/)
  const rest = fraction.slice(first + 1)
  return `${sign}${fraction.charAt(first)}${rest && `.${rest}`}e-${first + 1}`
}

/** Whole numbers in full: String would write 1e21. */
function numberText(value: number): string {
  return Number.isInteger(value) ? BigInt(value).toString() : String(value)
}
