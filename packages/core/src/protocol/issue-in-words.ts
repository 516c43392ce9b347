import type { z } from 'zod'

/** The validator's own messages begin so; any other was written for people. */
const OWN_WORDS = /^(Invalid (input|option|discriminator|string|number|URL)|Too (big|small))\b/
const LONGEST_SHOWN = 40
/** What is said of a field that is missing. */
export const NO_VALUE = 'no value'

/**
 * What stands there and what may, as the words behind "got": `5000, where at most 3600 may be`. Numbers are shown, and
 * short texts where one of a list is meant; any other text may be a secret.
 *
 * @param root the value that was validated
 */
export function issueInWords(issue: z.core.$ZodIssue, root: unknown): string {
  const own = issue.message.replace(/\.$/, '')
  if (!OWN_WORDS.test(own)) return own
  const value = valueAt(root, issue.path)
  if (value === undefined) return NO_VALUE
  switch (issue.code) {
    case 'too_big':
      return `${measured(value, issue.origin)}, where ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum} may be`
    case 'too_small':
      return `${measured(value, issue.origin)}, where ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum} must be`
    case 'invalid_value':
      return `${listed(value)}, where ${issue.values.length === 1 ? 'only' : 'one of'} ${issue.values.map(String).join(', ')} may be`
    case 'invalid_union':
      return 'options' in issue && Array.isArray(issue.options)
        ? `${listed(value)}, where one of ${issue.options.map(String).join(', ')} may be`
        : own
    case 'invalid_type':
      return `${shown(value)}, where ${TYPES[issue.expected] ?? issue.expected} must be`
    case 'invalid_format':
      if (issue.format === 'url') return 'text that is no address of this kind'
      return issue.pattern === undefined
        ? `text that is no ${issue.format}`
        : `text of another form than ${issue.pattern}`
    default:
      return own
  }
}

/**
 * What an error of the catalogue says of the first thing that a schema refused.
 *
 * @param root the value that was validated
 * @param whole what that value is, such as `statement`: named where the issue is about all of it
 */
export function firstIssueInWords(
  { issues: [issue] }: z.core.$ZodError,
  root: unknown,
  whole: string,
): { readonly expected: string; readonly got: string } {
  return {
    expected: `a valid ${issue?.path.map(String).join('.') || whole}`,
    got: issue === undefined ? 'an invalid value' : issueInWords(issue, root),
  }
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'an object',
  record: 'an object',
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => {
    const isHolder = typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    return isHolder ? (value as Readonly<Record<PropertyKey, unknown>>)[key] : undefined
  }, root)
}

/** A number as it is, which a variable gives as text; how long anything else is. */
function measured(value: unknown, origin: string): string {
  if (origin === 'number' || origin === 'int' || origin === 'bigint') return shown(Number(value))
  if (typeof value === 'string') return `${value.length} ${value.length === 1 ? 'character' : 'characters'}`
  return Array.isArray(value) ? `${value.length} ${value.length === 1 ? 'item' : 'items'}` : 'another size'
}

function shown(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value)
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : 'text'
}

/** A word that stands where one of a list should. */
function listed(value: unknown): string {
  return typeof value === 'string' && value.length <= LONGEST_SHOWN ? JSON.stringify(value) : shown(value)
}
