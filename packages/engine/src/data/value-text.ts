/**
 * The one text of one value, whatever format and type it was stored in: a label `1` is the same label from CSV, JSONL and
 * Parquet, as an integer, as a float that is whole, or as text.
 *
 * - integers, and floats that are whole, without point and exponent; other floats as the shortest text that reads back;
 * - texts that spell a whole number with a zero fraction (`1.0`) or a truth value (`True`, `FALSE`) as the value they spell;
 * - booleans as `true` and `false`;
 * - dates as `2024-01-31`, instants as `2024-01-31T12:00:00.000Z`, and at midnight UTC as the date;
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
      return value instanceof Date ? dateText(value) : undefined
    default:
      return undefined
  }
}

function spelledValue(text: string): string | undefined {
  if (/^[+-]?(nan|inf|infinity)$/i.test(text)) return undefined
  if (/^(true|false)$/i.test(text)) return text.toLowerCase()
  const whole = /^(-?\d+)\.0*$/.exec(text)?.[1]
  return whole === undefined ? text : whole.replace(/^-0+$/, '0')
}

/** Whole numbers in full: String would write 1e21. */
function numberText(value: number): string {
  return Number.isInteger(value) ? BigInt(value).toString() : String(value)
}

function dateText(date: Date): string | undefined {
  if (Number.isNaN(date.getTime())) return undefined
  const text = date.toISOString()
  return text.endsWith('T00:00:00.000Z') ? text.slice(0, 10) : text
}
