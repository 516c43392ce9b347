/**
 * What moves a cursor, changes a colour, clears a screen or turns the order of letters: C0, DEL, C1, separators, bidi.
 */
const CONTROLS = /[\p{Cc}\p{Bidi_Control}\u2028\u2029\ufeff]/gu

/**
 * Text from any source on one line of a terminal: control characters are shown as escapes. Names of runs, labels and
 * errors of a peer are such texts.
 */
export function printable(text: string): string {
  return text.replace(CONTROLS, escaped)
}

/** As {@link printable}, for text of several lines. */
export function printableLines(text: string): string {
  return text.replace(CONTROLS, (character) => (character === '\n' ? character : escaped(character)))
}

/**
 * JSON on one line, which a terminal may show: controls that JSON lets stand are escaped, so it stays the same JSON.
 */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(CONTROLS, escaped)
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
