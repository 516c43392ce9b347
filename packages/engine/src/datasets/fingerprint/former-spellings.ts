import { Spelled } from '../readers/spelled.ts'

/** What makes a value of a label, a tag or a unit into its text; undefined where there is no value. */
export type Spelling = (value: unknown) => string | undefined

/**
 * How earlier releases spelled labels, the newest first. A ledger that knows a data set by the fingerprint of such a
 * spelling goes on with that name.
 */
export const FORMER_SPELLINGS: readonly Spelling[] = [
  (value) => {
    const former = formerly(value)
    if (typeof former === 'number') return Number.isFinite(former) ? numberText(former) : undefined
    if (former instanceof Date) return Number.isNaN(former.getTime()) ? undefined : dateText(former)
    return typeof former === 'string' ? spelledValue(former) : scalarText(former)
  },
  (value) => scalarText(formerly(value)),
]

function formerly(value: unknown): unknown {
  return value instanceof Spelled ? value.former : value
}

function scalarText(value: unknown): string | undefined {
  return ['string', 'number', 'bigint', 'boolean'].includes(typeof value) ? String(value) : undefined
}

function numberText(value: number): string {
  return Number.isInteger(value) ? BigInt(value).toString() : String(value)
}

function spelledValue(text: string): string | undefined {
  if (/^[+-]?(nan|inf|infinity)$/i.test(text)) return undefined
  if (/^(true|false)$/i.test(text)) return text.toLowerCase()
  const whole = /^(-?\d+)\.0*$/.exec(text)?.[1]
  return whole === undefined ? text : whole.replace(/^-0+$/, '0')
}

function dateText(date: Date): string {
  const text = date.toISOString()
  return text.endsWith('T00:00:00.000Z') ? text.slice(0, 10) : text
}
