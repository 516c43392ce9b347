/** What differs from run to run, and is compared by its form. */
const VARIABLE: readonly (readonly [written: RegExp, matches: string])[] = [
  [/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/, '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/, '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?Z'],
  [/\b\d\d:\d\d:\d\d\b/, '\\d\\d:\\d\\d:\\d\\d'],
  [/ *(?:\.\.\.|…) */, '.*'],
]
const ANY_OF_THEM = new RegExp(VARIABLE.map(([written]) => `(${written.source})`).join('|'), 'g')

/**
 * The output of a command as a page shows it, as a pattern: identifiers, moments and times of day by their form, `...`
 * for anything within a line, and a line of `...` alone for any number of lines. All else is to the letter, but for
 * spaces at the end of a line.
 *
 * @param whole the output ends where the page does
 */
export function patternOf(expected: readonly string[], whole: boolean): RegExp {
  const lines = expected.map((line) =>
    /^\s*(\.\.\.|…)\s*$/.test(line) ? '(?:.*\\n)*?' : `${patternOfLine(line.trimEnd())} *\\n`,
  )
  return new RegExp(`^${lines.join('')}${whole ? '$' : ''}`)
}

function patternOfLine(line: string): string {
  let [pattern, end] = ['', 0]
  for (const match of line.matchAll(ANY_OF_THEM)) {
    const which = match.slice(1).findIndex((group) => group !== undefined)
    pattern += escaped(line.slice(end, match.index)) + VARIABLE[which]![1]
    end = match.index + match[0].length
  }
  return pattern + escaped(line.slice(end))
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
