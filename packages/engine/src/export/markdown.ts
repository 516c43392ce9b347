/** Control characters, which would end a line or turn the order of letters. */
const CONTROLS = /[\p{Cc}\p{Bidi_Control}\u2028\u2029\ufeff]+/gu

/** A text of anybody's as it reads inside a line of Markdown: on one line itself, and nothing in it is markup. */
export function plainText(text: string): string {
  return text.replace(CONTROLS, ' ').replace(/[\\`*_[\]<>|~$&]/g, (mark) => `\\${mark}`)
}

/** A text as a string literal of Python, JavaScript and YAML, which no fence around it can be ended by. */
export function literal(text: string): string {
  return JSON.stringify(text).replace(/[`\p{Cc}\p{Bidi_Control}\u2028\u2029\ufeff]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** Rows of cells that are Markdown already, under their headings. */
export function markdownTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(headings), line(headings.map(() => '---')), ...rows.map(line)].join('\n')
}
