import { z } from 'zod'
import type { Named, Registry } from './registry.ts'

/** A name and the terms that go with it, as a manifest has them. */
export interface NamedTerms extends Named {
  readonly [term: string]: string | number | boolean
}

/** What is registered together with terms of its own. */
export interface WithTerms extends Named {
  /** The fields beside the name, each with the schema that it must fit. */
  readonly terms: z.ZodRawShape
}

const variants = new WeakMap<z.ZodType, () => readonly z.ZodObject[]>()

/** The objects that a schema takes at present; undefined for a schema that says it itself. */
export function variantsOf(schema: z.ZodType): readonly z.ZodObject[] | undefined {
  return variants.get(schema)?.()
}

/** Says which objects a schema takes that finds them only when a value is parsed. */
export function withVariants<T extends z.ZodType>(schema: T, current: () => readonly z.ZodObject[]): T {
  variants.set(schema, current)
  return schema
}

const names = new WeakSet<z.ZodType>()

/** True for a schema of {@link registeredName}. */
export function isRegisteredName(schema: z.ZodType): boolean {
  return names.has(schema)
}

/** The name of something registered, looked up when a value is parsed. */
export function registeredName(registry: Registry<Named>): z.ZodString {
  const schema = z.string().check(({ value, issues }) => {
    if (registry.find(value) !== undefined) return
    issues.push({ code: 'custom', message: registry.unknown(value), input: value })
  })
  names.add(schema)
  return schema
}

/** `{ name, ...terms }` of something registered, looked up when a value is parsed; unknown terms are refused. */
export function registeredTerms(registry: Registry<WithTerms>): z.ZodType<NamedTerms, NamedTerms> {
  const named = z.looseObject({ name: registeredName(registry) })
  const schema = z.unknown().transform((value, { issues }) => {
    const name = named.safeParse(value)
    const parsed = name.success ? schemaOf(registry.get(name.data.name)).safeParse(value) : name
    if (parsed.success) return parsed.data as NamedTerms
    for (const issue of parsed.error.issues) issues.push({ ...issue, input: value } as z.core.$ZodRawIssue)
    return z.NEVER
  }) as unknown as z.ZodType<NamedTerms, NamedTerms>
  return withVariants(schema, () => registry.all.map(schemaOf))
}

const schemas = new WeakMap<WithTerms, z.ZodObject>()

function schemaOf(registered: WithTerms): z.ZodObject {
  const schema = schemas.get(registered) ?? z.strictObject({ name: z.literal(registered.name), ...registered.terms })
  schemas.set(registered, schema)
  return schema
}
