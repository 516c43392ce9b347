import { Spelled } from './spelled.ts'
import { decimalText, valueText } from './value-text.ts'

/** A number of more digits than float64 tells apart may stand in the text. */
const LONG_NUMBER = /\d[\d.]{15}/

const NUMBERS_AND_STRINGS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/**
 * The value of a JSON text with its numbers as they stand there: whole ones beyond 2^53 as bigint, and others whose
 * digits a float64 does not hold as {@link Spelled}. JSON.parse would round them, and two labels would become one.
 *
 * @param parsed what JSON.parse made of it
 */
export function exactNumbers(json: string, parsed: unknown): unknown {
  if (!LONG_NUMBER.test(json)) return parsed
  const marked = json.replace(NUMBERS_AND_STRINGS, (token) =>
    isExact(token) ? token : JSON.stringify(`${MARK}${token}`),
  )
  return JSON.parse(marked, (_, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK) ? numberOf(value.slice(MARK.length)) : value,
  )
}

/** Strings, and numbers that float64 holds; one with an exponent is a float's own spelling. */
function isExact(token: string): boolean {
  if (/^"|[eE]/.test(token)) return true
  const value = Number(token)
  return token.includes('.') ? decimalText(token) === valueText(value) : Number.isSafeInteger(value)
}

function numberOf(token: string): unknown {
  return token.includes('.') ? new Spelled(decimalText(token), 'a number', Number(token)) : BigInt(token)
}

/** Begins no text of a file: a lone surrogate is no UTF-8. */
const MARK = '\ud800#'
