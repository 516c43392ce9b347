import { z } from 'zod'
import { FedsvdError } from '../errors.ts'
import { nearestName, variantsOf } from '../registry/index.ts'
import { issueInWords, NO_VALUE } from './issue-in-words.ts'

/** The refusal of a setting that nothing reads. @param whose as `a client` @param nearest what may have been meant */
export function unknownSetting(whose: string, name: string, nearest: string | undefined): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', {
    expected: `settings that ${whose} has`,
    got: name,
    remedy: nearest === undefined ? 'Leave it out.' : `Did you mean ${nearest}?`,
  })
}

interface Fault {
  readonly path: readonly PropertyKey[]
  readonly message: string
  /** The path ends with a key that should not be there; the message is what may have been meant. */
  readonly isUnknownKey?: true
  /** All fields that are missing, where there are more than one. */
  readonly missing?: readonly string[]
}

/** A longer array is looked at in parts of this length, and no further than its first fault. */
const MOST_AT_ONCE = 100
const LONGEST_PART = 200

/**
 * Parses a value that came from outside, at a cost that grows with the value and not with what is wrong with it.
 *
 * @throws FedsvdError MESSAGE_INVALID naming the first field at fault, whatever the value is; its text is bounded
 */
export function parseMessage<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  try {
    const fault = faultOfLongArrays(schema, value)
    if (fault !== undefined) throw invalid(what, fault)
    const result = schema.safeParse(value)
    if (result.success) return result.data
    throw invalid(what, faultOf(schema, result.error.issues, value))
  } catch (error) {
    if (error instanceof FedsvdError) throw error
    // A made-up object can make the validator itself stumble, such as a `length` that is no number.
    throw invalid(what, { path: [], message: 'one that cannot be read' }, error)
  }
}

/**
 * The validator gathers every issue of every element: a bad report of 4 MB would cost 70 times its size. So the length
 * of an array is looked at before its elements are, and a long one is validated a few at a time, up to its first fault.
 */
function faultOfLongArrays(schema: z.ZodType, value: unknown): Fault | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    return faultOfLongArrays(schema.unwrap() as z.ZodType, value)
  }
  if (schema instanceof z.ZodArray && Array.isArray(value)) return faultOfElements(schema, value)
  if (!(schema instanceof z.ZodObject) || typeof value !== 'object' || value === null) return undefined
  for (const [name, field] of Object.entries(schema.shape as Record<string, z.ZodType>)) {
    if (!Object.hasOwn(value, name)) continue
    const fault = faultOfLongArrays(field, (value as Record<string, unknown>)[name])
    if (fault !== undefined) return { ...fault, path: [name, ...fault.path] }
  }
  return undefined
}

function faultOfElements(schema: z.ZodArray, values: readonly unknown[]): Fault | undefined {
  const most = longest(schema)
  if (values.length > most) return { path: [], message: `${values.length} items where at most ${most} may be` }
  const element = schema.element as z.ZodType
  const some = z.array(element)
  const isNested = holdsArray(element)
  for (let start = 0; start < values.length; start += MOST_AT_ONCE) {
    const chunk = values.slice(start, start + MOST_AT_ONCE)
    const fault =
      (isNested ? faultOfChunk(element, chunk) : undefined) ??
      (values.length > MOST_AT_ONCE ? firstIssue(some, chunk) : undefined)
    if (fault === undefined) continue
    const [index, ...path] = fault.path
    return { ...fault, path: [start + Number(index), ...path] }
  }
  return undefined
}

function faultOfChunk(element: z.ZodType, values: readonly unknown[]): Fault | undefined {
  for (const [index, value] of values.entries()) {
    const fault = faultOfLongArrays(element, value)
    if (fault !== undefined) return { ...fault, path: [index, ...fault.path] }
  }
  return undefined
}

/** A key that a schema does not name, by the path to it, and the name nearest to it of those that belong there. */
export interface UnknownKey {
  readonly path: readonly string[]
  readonly nearest: string | undefined
}

/**
 * The first fault. A key that the schema does not name is told before one that is missing, for it may be that one
 * misspelt, and with the nearest one that there is. Where a field is missing, all that are missing are told.
 */
function faultOf(schema: z.ZodType, issues: readonly z.core.$ZodIssue[], value: unknown): Fault | undefined {
  const [issue] = issues
  if (issue === undefined) return undefined
  const unknown = unknownKeyOf(schema, issues)
  if (unknown !== undefined) {
    const { path, nearest } = unknown
    return { path, message: nearest === undefined ? '' : `; did you mean ${nearest}?`, isUnknownKey: true }
  }
  const message = issueInWords(issue, value)
  if (message !== NO_VALUE) return { path: issue.path, message }
  const missing = issues.filter((other) => issueInWords(other, value) === NO_VALUE).map(({ path }) => path.join('.'))
  return { path: issue.path, message, ...(missing.length > 1 && { missing: [...new Set(missing)] }) }
}

/** The first key of these issues that the schema does not name; undefined where they are about something else. */
export function unknownKeyOf(schema: z.ZodType, issues: readonly z.core.$ZodIssue[]): UnknownKey | undefined {
  const issue = issues.find(isAboutKeys)
  return issue === undefined ? undefined : unknownKey(schema, issue, issue.keys[0]!)
}

/** All keys of these issues that the schema does not name. */
export function unknownKeysOf(schema: z.ZodType, issues: readonly z.core.$ZodIssue[]): readonly UnknownKey[] {
  return issues.filter(isAboutKeys).flatMap((issue) => issue.keys.map((key) => unknownKey(schema, issue, key)))
}

function isAboutKeys(issue: z.core.$ZodIssue): issue is z.core.$ZodIssueUnrecognizedKeys {
  return issue.code === 'unrecognized_keys'
}

function unknownKey(schema: z.ZodType, { path }: z.core.$ZodIssueUnrecognizedKeys, given: string): UnknownKey {
  const key = given.slice(0, LONGEST_PART)
  return { path: [...path.map(String), key], nearest: nearestName(key, namesAt(schema, path)) }
}

function namesAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  const inner = schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault
  if (inner) return namesAt(schema.unwrap() as z.ZodType, path)
  const options = schema instanceof z.ZodUnion ? schema.options : variantsOf(schema)
  if (options !== undefined) return options.flatMap((option) => namesAt(option as z.ZodType, path))
  if (schema instanceof z.ZodPipe) return namesAt(schema.out as z.ZodType, path)
  const [first, ...rest] = path
  if (schema instanceof z.ZodArray) return namesAt(schema.element as z.ZodType, rest)
  if (!(schema instanceof z.ZodObject)) return []
  const shape = schema.shape as Record<string, z.ZodType>
  if (first === undefined) return Object.keys(shape)
  return Object.hasOwn(shape, first) ? namesAt(shape[String(first)]!, rest) : []
}

function holdsArray(schema: z.ZodType): boolean {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    return holdsArray(schema.unwrap() as z.ZodType)
  }
  if (schema instanceof z.ZodObject) return Object.values(schema.shape as Record<string, z.ZodType>).some(holdsArray)
  return schema instanceof z.ZodArray
}

function longest({ _zod: { def } }: z.ZodArray): number {
  const bounds = (def.checks ?? []).map((check) => (check._zod.def as { maximum?: number }).maximum)
  return Math.min(...bounds.filter((bound) => bound !== undefined))
}

function firstIssue(schema: z.ZodType, value: unknown): Fault | undefined {
  return faultOf(schema, schema.safeParse(value).error?.issues ?? [], value)
}

function invalid(what: string, fault: Fault | undefined, cause?: unknown): FedsvdError {
  const field = fault?.path.map(String).join('.') || 'value'
  return new FedsvdError(
    'MESSAGE_INVALID',
    {
      expected: fault?.isUnknownKey
        ? `${what} with known fields only`
        : `${what} with ${fault?.missing?.join(', ').slice(0, LONGEST_PART) ?? `a valid ${field.slice(0, LONGEST_PART)}`}`,
      got: (fault?.isUnknownKey
        ? `${field.slice(-LONGEST_PART / 2)}${fault.message}`
        : (fault?.message ?? 'an invalid value')
      )
        .slice(0, LONGEST_PART)
        .replace(/\.$/, ''),
      remedy: 'Check the message against the protocol reference.',
    },
    cause === undefined ? undefined : { cause },
  )
}
