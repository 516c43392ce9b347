import { issueInWords, NO_VALUE, unknownKeysOf } from '@fedsvd/core/protocol'
import type { z } from 'zod'
import { type ConfigFault, ConfigFileError } from './faults.ts'
import { readYaml, type YamlText } from './yaml-text.ts'

export interface ConfigSource {
  /** How the file is called in messages. */
  readonly file: string
  /** What it holds, such as "run configuration". */
  readonly what: string
  /** What counts before the file, such as the options of a command; maps are merged key by key. */
  readonly overrides?: ConfigOverrides
}

export type ConfigOverrides = Readonly<Record<string, unknown>>

/**
 * Checks the text of a configuration file, YAML or JSON, against its schema.
 *
 * @returns what the schema makes of it, its defaults filled in
 * @throws ConfigFileError (CONFIG_INVALID) with every fault, each with its line, column and key
 */
export function parseConfig<S extends z.ZodType>(
  text: string,
  schema: S,
  { file, what, overrides }: ConfigSource,
): z.output<S> {
  const fail = (faults: readonly ConfigFault[]) => new ConfigFileError(file, what, faults)
  const read = readYaml(text)
  if (!('value' in read)) throw fail(read)
  if (read.value === null || read.value === undefined) throw fail([{ path: '', message: 'an empty file' }])
  const own = withoutSchemaName(read.value)
  const value = overrides === undefined ? own : overridden(own, overrides)
  return checked(schema, { ...read, value }, { file, what })
}

/**
 * The same for what comes from no file, such as the options of a command.
 *
 * @param source its `file` is what the faults are said to be in, such as "the options"
 */
export function checkConfig<S extends z.ZodType>(
  value: unknown,
  schema: S,
  source: Omit<ConfigSource, 'overrides'>,
): z.output<S> {
  return checked(schema, { value, positionOf: () => ({}) }, source)
}

function checked<S extends z.ZodType>(schema: S, read: YamlText, { file, what }: ConfigSource): z.output<S> {
  const result = schema.safeParse(read.value)
  if (result.success) return result.data
  throw new ConfigFileError(file, what, faultsOf(schema, result.error, read))
}

/** A JSON file has no comments: editors look for the name of its schema under this key. */
function withoutSchemaName(value: unknown): unknown {
  if (!isMap(value) || typeof value.$schema !== 'string') return value
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== '$schema'))
}

function overridden(value: unknown, overrides: ConfigOverrides): unknown {
  if (!isMap(value)) return value // which the schema refuses
  const merged = Object.entries(overrides).map(([key, other]) => {
    const own = Object.hasOwn(value, key) ? value[key] : undefined
    return [key, isMap(own) && isMap(other) ? overridden(own, other) : other]
  })
  return { ...value, ...Object.fromEntries(merged) }
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** In the order of the file. A key that is missing is not told beside one that is that one misspelt. */
function faultsOf(schema: z.ZodType, error: z.ZodError, { value, positionOf }: YamlText): readonly ConfigFault[] {
  const issues = error.issues.flatMap(nearestIssues)
  const unknown = unknownKeysOf(schema, issues)
  const misspelt = new Set(
    unknown.flatMap(({ path, nearest }) => (nearest === undefined ? [] : [dotted([...path.slice(0, -1), nearest])])),
  )
  const faults = [
    ...unknown.map(({ path, nearest }) => ({
      path,
      message: `no key that is known here; ${nearest === undefined ? 'leave it out' : `did you mean ${nearest}?`}`,
    })),
    ...issues
      .filter(({ code }) => code !== 'unrecognized_keys')
      .map((issue) => ({ path: issue.path, message: messageOf(issue, value) }))
      .filter(({ path, message }) => message !== NO_VALUE || !misspelt.has(dotted(path))),
  ]
  return faults
    .map(({ path, message }) => ({ ...positionOf(path), path: dotted(path), message }))
    .sort((left, right) => (left.line ?? 0) - (right.line ?? 0) || (left.column ?? 0) - (right.column ?? 0))
}

function dotted(path: readonly PropertyKey[]): string {
  return path.map(String).join('.')
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
