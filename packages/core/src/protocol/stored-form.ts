import { z } from 'zod'
import { isRegisteredName, variantsOf, withVariants } from '../registry/index.ts'

const stored = new WeakSet<z.ZodType>()

/**
 * The same shape for what lies in a database or a ledger, where it was checked by the rules of its time: numbers keep
 * their kind and sign but may be of any size, and keys that it does not name are dropped. Only for reading what is
 * stored, never for what comes from outside.
 */
export function storedForm<T extends z.ZodType>(schema: T): T {
  const form = relaxed(schema)
  stored.add(form)
  return form as T
}

/** True for what {@link storedForm} has made. */
export function isStoredForm(schema: z.ZodType): boolean {
  return stored.has(schema)
}

function relaxed(schema: z.ZodType): z.ZodType {
  if (variantsOf(schema) !== undefined) return relaxedVariants(() => variantsOf(schema)!)
  if (isRegisteredName(schema)) return z.string()
  if (schema instanceof z.ZodNumber) return relaxedNumber(schema)
  if (schema instanceof z.ZodOptional) return relaxed(schema.unwrap() as z.ZodType).optional()
  if (schema instanceof z.ZodArray)
    return schema.clone({ ...schema.def, element: relaxed(schema.element as z.ZodType) })
  if (schema instanceof z.ZodObject) {
    const fields = Object.entries(schema.shape as Record<string, z.ZodType>)
    return z.object(Object.fromEntries(fields.map(([name, field]) => [name, storedForm(field)])))
  }
  if (schema instanceof z.ZodUnion) {
    return schema.clone({ ...schema.def, options: schema.def.options.map((option) => storedForm(option as z.ZodType)) })
  }
  return schema
}

/** What an extension has defined stays readable without it, as it was written. */
function relaxedVariants(current: () => readonly z.ZodObject[]): z.ZodType {
  const variants = () => current().map((variant) => storedForm(variant))
  const named = z.looseObject({ name: z.string() })
  const schema = z.unknown().transform((value, { issues }) => {
    const { name } = (value ?? {}) as { readonly name?: unknown }
    const parsed = (variants().find(({ shape }) => shape.name!.safeParse(name).success) ?? named).safeParse(value)
    if (parsed.success) return parsed.data
    for (const issue of parsed.error.issues) issues.push({ ...issue, input: value } as z.core.$ZodRawIssue)
    return z.NEVER
  })
  return withVariants(schema, variants)
}

/** The least positive float64 that a thread which takes denormals for zero, as onnxruntime's does, tells from zero. */
const LEAST_NORMAL = 2 ** -1022

/** A positive number stays positive, a share at most 1, and a whole number whole. */
function relaxedNumber(schema: z.ZodNumber): z.ZodNumber {
  const { minValue, maxValue } = schema
  const isWhole = schema.format === 'safeint'
  const most = maxValue === null || maxValue > 1 ? (isWhole ? Number.MAX_SAFE_INTEGER : Number.MAX_VALUE) : 1
  const number = (isWhole ? z.number().int() : z.number()).max(most)
  if (minValue === null || minValue < 0) return number.min(isWhole ? Number.MIN_SAFE_INTEGER : -Number.MAX_VALUE)
  if (minValue === 0) return number.min(0)
  return number.min(isWhole ? 1 : LEAST_NORMAL)
}
