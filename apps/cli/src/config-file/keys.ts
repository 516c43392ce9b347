import { z } from 'zod'

/** One key of a configuration file, as a reference page shows it. */
export interface ConfigKey {
  /** With dots between the names; `[]` stands for each element of a list. */
  readonly path: string
  /** What may stand there, in words. */
  readonly values: string
  readonly unit: string
  /** `needed`, the default itself, or empty for a key that may be left out. */
  readonly default: string
  readonly description: string
}

interface JsonSchema {
  readonly type?: string
  readonly description?: string
  readonly unit?: string
  readonly defaultText?: string
  readonly default?: unknown
  readonly const?: string | number | boolean
  readonly enum?: readonly (string | number | boolean)[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly additionalProperties?: boolean | JsonSchema
}

/** All keys that a schema takes, in its order. */
export function keysOf(schema: z.ZodType): readonly ConfigKey[] {
  return keysWithin(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema, '')
}

function keysWithin(schema: JsonSchema, prefix: string): readonly ConfigKey[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`
    const isNeeded = schema.required?.includes(name) === true && field.default === undefined
    const own: ConfigKey = {
      path,
      values: valuesOf(field),
      unit: field.unit ?? '',
      default: field.defaultText ?? defaultOf(field.default) ?? (isNeeded ? 'needed' : ''),
      description: field.description ?? '',
    }
    return [own, ...below(field, path)]
  })
}

function below(field: JsonSchema, path: string): readonly ConfigKey[] {
  const forms = [field, ...(field.anyOf ?? []), ...(field.oneOf ?? [])]
  const keys = forms.flatMap((form) => [
    ...keysWithin(form, `${path}.`),
    ...(form.items === undefined ? [] : keysWithin(form.items, `${path}[].`)),
  ])
  return [...new Map(keys.map((key) => [key.path, key])).values()]
}

function defaultOf(value: unknown): string | undefined {
  const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0
  return value === undefined || isEmpty ? undefined : code(JSON.stringify(value))
}

/** What a schema takes, in words. */
function valuesOf(schema: JsonSchema): string {
  const forms = schema.anyOf ?? schema.oneOf
  if (forms !== undefined) return [...new Set(forms.map(valuesOf))].join(', or ')
  if (schema.const !== undefined) return code(String(schema.const))
  if (schema.enum !== undefined) return schema.enum.map((value) => code(String(value))).join(', ')
  switch (schema.type) {
    case 'string':
      return 'text'
    case 'boolean':
      return '`true`, `false`'
    case 'array':
      return `list of ${valuesOf(schema.items ?? {})}`
    case 'number':
    case 'integer':
      return rangeOf(schema)
    default:
      return schema.properties === undefined && schema.additionalProperties === undefined ? '' : 'a map'
  }
}

function rangeOf({ type, minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonSchema): string {
  const low =
    exclusiveMinimum === undefined ? (minimum === undefined ? '' : `from ${minimum}`) : `above ${exclusiveMinimum}`
  const high =
    exclusiveMaximum === undefined ? (maximum === undefined ? '' : `to ${maximum}`) : `below ${exclusiveMaximum}`
  return [type === 'integer' ? 'whole number' : 'number', low, high].filter(Boolean).join(' ')
}

const code = (text: string): string => `\`${text}\``
