/** A number of more digits than float64 tells apart may stand in the text. */
const LONG_NUMBER = /\d{16}/

/**
 * The value of a JSON text, with integers beyond 2^53 as bigint: JSON.parse would round them, and two labels would become one.
 *
 * @param parsed what JSON.parse made of it
 */
export function exactNumbers(json: string, parsed: unknown): unknown {
  if (!LONG_NUMBER.test(json)) return parsed
  // outside strings: every number token that is an integer too large for a double becomes a marked string
  const marked = json.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
    /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token)) ? JSON.stringify(`${MARK}${token}`) : token,
  )
  return JSON.parse(marked, (_, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  )
}

/** Begins no text of a file: a lone surrogate is no UTF-8. */
const MARK = '\ud800#'
