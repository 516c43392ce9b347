import { issueInWords, unknownKeysOf } from '@fedsvd/core/protocol'
import type { z } from 'zod'
import { type ConfigFault, ConfigFileError } from './faults.ts'
import { readYaml, type YamlText } from './yaml-text.ts'

export interface ConfigSource {
  /** How the file is called in messages. */
  readonly file: string
  /** What it holds, such as "run configuration". */
  readonly what: string
}

/**
 * Checks the text of a configuration file, YAML or JSON, against its schema.
 *
 * @returns what the schema makes of it, its defaults filled in
 * @throws ConfigFileError (CONFIG_INVALID) with every fault, each with its line, column and key
 */
export function parseConfig<S extends z.ZodType>(text: string, schema: S, { file, what }: ConfigSource): z.output<S> {
  const fail = (faults: readonly ConfigFault[]) => new ConfigFileError(file, what, faults)
  const read = readYaml(text)
  if (!('value' in read)) throw fail(read)
  if (read.value === null || read.value === undefined) throw fail([{ path: '', message: 'an empty file' }])
  const result = schema.safeParse(read.value)
  if (result.success) return result.data
  throw fail(faultsOf(schema, result.error, read))
}

/** In the order of the file; a key that no schema names before one that is missing, as it may be that one misspelt. */
function faultsOf(schema: z.ZodType, error: z.ZodError, { value, positionOf }: YamlText): readonly ConfigFault[] {
  const issues = error.issues.flatMap(nearestIssues)
  const unknown = unknownKeysOf(schema, issues).map(({ path, nearest }) => ({
    path,
    message: `no key that is known here; ${nearest === undefined ? 'leave it out' : `did you mean ${nearest}?`}`,
  }))
  const others = issues
    .filter(({ code }) => code !== 'unrecognized_keys')
    .map((issue) => ({ path: issue.path, message: messageOf(issue, value) }))
  return [...unknown, ...others]
    .map(({ path, message }) => ({ ...positionOf(path), path: path.map(String).join('.'), message }))
    .sort((left, right) => (left.line ?? 0) - (right.line ?? 0) || (left.column ?? 0) - (right.column ?? 0))
}

function messageOf(issue: z.core.$ZodIssue, root: unknown): string {
  const words = issueInWords(issue, root)
  const given = issue.path.reduce<unknown>(
    (value, key) => (value as Readonly<Record<PropertyKey, unknown>>)?.[key],
    root,
  )
  if (given === null) return 'nothing behind the colon; give a value, or leave the key out'
  const isTextMissing = issue.code === 'invalid_type' && issue.expected === 'string'
  return isTextMissing && (typeof given === 'number' || typeof given === 'boolean')
    ? `${words}; write it in quotation marks: "${given}"`
    : words
}

/** Of a value that fits none of several forms: the faults of the form that it comes nearest to. */
function nearestIssues(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue]
  const rank = (forms: readonly z.core.$ZodIssue[]): number =>
    (forms.some(({ path, code }) => path.length === 0 && code === 'invalid_type') ? 1000 : 0) + forms.length
  const [nearest] = [...issue.errors].sort((left, right) => rank(left) - rank(right))
  return nearest!.flatMap(nearestIssues).map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }))
}
