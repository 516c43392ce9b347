import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { LIMITS } from '../limits/index.ts'
import { variantsOf } from '../registry/index.ts'
import * as protocol from './index.ts'
import { adapterSchemaSchema, privacyEventSchema } from './manifest.ts'
import { runRequestSchema } from './operator.ts'
import { parseMessage } from './parse.ts'
import { isStoredForm, storedForm } from './stored-form.ts'

const schemas = Object.entries(protocol as Record<string, unknown>).filter(
  (entry): entry is [string, z.ZodType] => entry[1] instanceof z.ZodType,
)

/** What is wrong with a schema or a part of it, by the path to it. */
function faultsOf(schema: z.ZodType, path: string, isStored = false): string[] {
  const within = isStored || isStoredForm(schema)
  const { def } = schema._zod
  const variants = variantsOf(schema)
  if (variants !== undefined) return variants.flatMap((one, index) => faultsOf(one, `${path}|${index}`, within))
  switch (def.type) {
    case 'number':
      return faultsOfNumber(schema as z.ZodNumber, path)
    case 'object': {
      const { shape, catchall } = def as z.core.$ZodObjectDef
      const isStrict = catchall?._zod.def.type === 'never'
      const inner = Object.entries(shape).flatMap(([name, field]) =>
        faultsOf(field as z.ZodType, `${path}.${name}`, within),
      )
      return isStrict || within ? inner : [`${path} takes keys that it does not name`, ...inner]
    }
    case 'array':
      return faultsOf((def as z.core.$ZodArrayDef).element as z.ZodType, `${path}[]`, within)
    case 'tuple':
      return (def as z.core.$ZodTupleDef).items.flatMap((item, index) =>
        faultsOf(item as z.ZodType, `${path}[${index}]`, within),
      )
    case 'union':
      return (def as z.core.$ZodUnionDef).options.flatMap((option, index) =>
        faultsOf(option as z.ZodType, `${path}|${index}`, within),
      )
    case 'record':
      return faultsOf((def as z.core.$ZodRecordDef).valueType as z.ZodType, `${path}{}`, within)
    case 'optional':
    case 'nullable':
    case 'default':
      return faultsOf((def as z.core.$ZodOptionalDef).innerType as z.ZodType, path, within)
    case 'string':
    case 'enum':
    case 'literal':
    case 'boolean':
      return []
    default:
      return [`${path} is a ${def.type}, which this test cannot look into`]
  }
}

function faultsOfNumber({ _zod: { def } }: z.ZodNumber, path: string): string[] {
  const ends = (def.checks ?? []).map((check) => check._zod.def as { check: string; value?: number })
  return ['greater_than', 'less_than']
    .filter((end) => !ends.some(({ check, value }) => check === end && Number.isFinite(value)))
    .map((end) => `${path} has no number that it must be ${end.replace('_', ' ')}`)
}

describe('every schema of the protocol', () => {
  it.each(schemas)('bounds every number and names every key: %s', (name, schema) => {
    expect(faultsOf(schema, name)).toEqual([])
  })

  it('is looked into: a number without an end and an open object are found', () => {
    const open = z.object({
      list: z.array(z.number().min(0)).optional(),
      one: z.union([z.number().max(1), z.string()]),
    })
    expect(faultsOf(open, 'it')).toEqual([
      'it takes keys that it does not name',
      'it.list[] has no number that it must be less than',
      'it.one|0 has no number that it must be greater than',
    ])
    expect(schemas.length).toBeGreaterThan(40)
  })

  it('has a reason for each range', () => {
    for (const [name, { least, most, because }] of Object.entries(LIMITS)) {
      expect(least, name).toBeLessThan(most)
      expect(because.length, name).toBeGreaterThan(10)
    }
  })
})

describe('a key that is not named', () => {
  const request = { clientlevel: { clipNorm: 1, budget: { epsilon: 4, delta: 1e-3 } } }

  it('is refused with the nearest one that is: a run is not started without what its request asked for', () => {
    expect(() => parseMessage(runRequestSchema.partial(), request, 'a run request')).toThrow(
      /clientlevel.*did you mean clientLevel\?/,
    )
    expect(() => parseMessage(runRequestSchema.partial(), { model: { nam: 'a' } }, 'a run request')).toThrow(/model/)
  })

  it('is told by its path and the nearest name in every part of a message, long arrays included', () => {
    const layers = Array.from({ length: 300 }, (_, index) => ({
      name: 'a',
      dIn: 1,
      ...(index === 250 && { din: 1 }),
      dOut: 1,
    }))
    const adapter = { rank: 1, alpha: 1, layers, head: [], headMode: 'trained' }
    expect(() => parseMessage(adapterSchemaSchema, adapter, 'an adapter')).toThrow(/250.*din; did you mean dIn\?/)
    const mode = { name: 'buffered', bufferSize: 3, stalenessExponent: 1, buffersize: 3 }
    expect(() => parseMessage(runRequestSchema.pick({ mode: true }), { mode }, 'a run request')).toThrow(
      /mode\.buffersize; did you mean bufferSize\?/,
    )
  })
})

describe('what is stored', () => {
  const poisoned = {
    mechanism: 'poisson-subsampled-gaussian',
    sampleRate: 0.1,
    noiseMultiplier: 1e-300,
    steps: 2 ** 31 - 1,
    clipNorm: 1e-30,
    relation: 'add-or-remove-one',
    unit: 'record',
  }

  it('stays readable, while the same numbers are refused from outside', () => {
    expect(privacyEventSchema.safeParse(poisoned).success).toBe(false)
    expect(storedForm(privacyEventSchema).parse({ ...poisoned, added: 'later' })).toEqual(poisoned)
  })

  it.each([
    { noiseMultiplier: 0 },
    { noiseMultiplier: Number.MIN_VALUE }, // which some threads take for zero
    { noiseMultiplier: -1 },
    { sampleRate: 2 },
    { steps: 0.5 },
    { unit: 'other' },
  ])('keeps its kind and sign: %j is none', (change) => {
    expect(storedForm(privacyEventSchema).safeParse({ ...poisoned, ...change }).success).toBe(false)
  })
})
