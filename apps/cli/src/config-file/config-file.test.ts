import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ConfigFileError, jsonSchemaOf, keysOf, parseConfig, readConfigFile, schemaComment } from './index.ts'

const schema = z.strictObject({
  name: z.string().min(1).meta({ description: 'How it is called.' }),
  rounds: z.number().int().min(1).max(10).default(3).meta({ description: 'How many.', unit: 'rounds' }),
  clipNorm: z.number().min(0.1).max(5).optional().meta({ description: 'Most.', defaultText: 'by the model' }),
  target: z.strictObject({ epsilon: z.number(), delta: z.number() }).optional(),
  mode: z
    .discriminatedUnion('name', [
      z.strictObject({ name: z.literal('plain') }),
      z.strictObject({ name: z.literal('buffered'), size: z.number() }),
    ])
    .optional(),
  data: z.union([z.string(), z.array(z.string())]).optional(),
})

const parse = (text: string) => parseConfig(text, schema, { file: 'run.yaml', what: 'run configuration' })

function faultsIn(text: string): readonly string[] {
  try {
    parse(text)
  } catch (error) {
    if (!(error instanceof ConfigFileError)) throw error
    expect(error.code).toBe('CONFIG_INVALID')
    return error.faults.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`)
  }
  return []
}

describe('a configuration file', () => {
  it('is YAML or JSON, with the defaults of its schema', () => {
    expect(parse('name: a # b\n')).toEqual({ name: 'a', rounds: 3 })
    expect(parse('{\n\t"name": "a",\n\t"target": { "epsilon": 6, "delta": 1e-5 }\n}')).toMatchObject({
      target: { epsilon: 6, delta: 1e-5 },
    })
    expect(parse('{ "$schema": "run.schema.json", "name": "a" }')).toEqual({ name: 'a', rounds: 3 })
    expect(faultsIn('{ "$schema": 3, "name": "a" }')).toEqual(['1:3 $schema: no key that is known here; leave it out'])
    expect(parse('name: &n x\ndata: [*n, *n]').data).toEqual(['x', 'x'])
  })

  it('is told all of its faults at once, each with line, column and key', () => {
    const text = 'name: 2024\nrounds: 11\nclipnorm: 1\ntarget:\n  epsilon: six\n  delta:\nmode: {name: buffred}\n'
    expect(faultsIn(text)).toEqual([
      '1:1 name: 2024, where text must be; write it in quotation marks: "2024"',
      '2:1 rounds: 11, where at most 10 may be',
      '3:1 clipnorm: no key that is known here; did you mean clipNorm?',
      '5:3 target.epsilon: text, where a number must be',
      '6:3 target.delta: nothing behind the colon; give a value, or leave the key out',
      '7:8 mode.name: "buffred", where one of plain, buffered may be',
    ])
  })

  it('is told which key is missing, at the map that lacks it', () => {
    expect(faultsIn('rounds: 2\ntarget:\n  epsilon: 6\n')).toEqual(['1:1 name: no value', '2:1 target.delta: no value'])
  })

  it('is told the fault of the form that a value comes nearest to', () => {
    expect(faultsIn('name: a\ndata: [x, 3]\n')).toEqual([
      '2:11 data.1: 3, where text must be; write it in quotation marks: "3"',
    ])
  })

  it.each([
    ['name: a\nrounds: 2\nname: b\n', /^3:1 : a key that stands here twice/],
    ['{"name": "a", "name": "b"}', /a key that stands here twice/],
    ['name: a\n---\nname: b\n', /a second document/],
    ['name:\n\trounds: 1\n', /a tab as indentation/],
    ['name: !!js/function x\n', /a tag/],
    ['name: "a\n', /closing one/],
    ['data: [a, b\nname: c\n', /^2:1 : a bracket that is not closed/],
    ['name: a: b\n', /^1:7 : no YAML: nested mappings/],
    ['', /an empty file/],
    ['# nothing\n', /an empty file/],
    ['- a\n', /a list, where an object must be/],
    ['hello', /text, where an object must be/],
    ['__proto__: {name: a}\nname: b\n', /__proto__: no key/],
    ['name: *nowhere\n', /nowhere/],
  ])('%j is refused with what is wrong', (text, fault) => {
    expect(faultsIn(text)[0]).toMatch(fault)
  })

  it('cannot be nested deeper than it can be read', () => {
    expect(faultsIn('['.repeat(20_000))[0]).toMatch(/nested too deep/)
    expect(faultsIn('- '.repeat(20_000))[0]).toMatch(/nested too deep/)
    expect(faultsIn('{"a":'.repeat(20_000))[0]).toMatch(/nested too deep/)
  })

  it('cannot stand for more than it holds', () => {
    const levels = Array.from({ length: 12 }, (_, level) => {
      const before = level === 0 ? 'x' : `*l${level - 1}`
      return `l${level}: &l${level} [${Array.from({ length: 9 }, () => before).join(', ')}]`
    })
    expect(faultsIn(levels.join('\n'))[0]).toMatch(/aliases .* stand for too much/)
  })

  it('has its faults in one line for logs, and in a list for programs', () => {
    const error = new ConfigFileError('run.yaml', 'run configuration', [
      { line: 1, column: 2, path: 'a', message: 'b' },
    ])
    expect(error.message).toBe(
      'CONFIG_INVALID: expected a valid run configuration in run.yaml, got run.yaml:1:2: a: b. Correct it.',
    )
    expect(error.toJSON()).toMatchObject({ code: 'CONFIG_INVALID', faults: [{ line: 1, column: 2, path: 'a' }] })
    expect(error.text).toBe(
      'CONFIG_INVALID: expected a valid run configuration, got 1 fault. Correct it.\nrun.yaml:1:2: a: b',
    )
    const many = Array.from({ length: 30 }, () => ({ path: 'a', message: 'b' }))
    expect(new ConfigFileError('f', 'w', many).message).toMatch(/and 10 more/)
  })
})

describe('the file itself', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fedsvd-config-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const read = (name: string) => readConfigFile(join(folder, name), schema, 'run configuration')
  const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder, name), content)

  it('may begin with a byte order mark, and has to be UTF-8 of a sensible size', () => {
    write('bom.yaml', '\ufeffname: é\n')
    expect(read('bom.yaml').name).toBe('é')
    write('latin.yaml', Buffer.from('name: \xe9\n', 'latin1'))
    expect(() => read('latin.yaml')).toThrow(/no UTF-8/)
    write('large.yaml', `name: ${'a'.repeat(2 ** 20)}`)
    expect(() => read('large.yaml')).toThrow(/more than 1048576 bytes/)
  })

  it('is named where it cannot be read', () => {
    expect(() => read('absent.yaml')).toThrow(/run configuration in .*absent\.yaml, got nothing there/)
    expect(() => readConfigFile(folder, schema, 'run configuration')).toThrow(/got a folder/)
    expect(() => readConfigFile('/dev/zero', schema, 'run configuration')).toThrow(/more than 1048576 bytes/)
  })
})

describe('what a schema says of itself', () => {
  it('is a JSON schema that editors read, with units and defaults in its descriptions', () => {
    const json = jsonSchemaOf(schema, { title: 'A run', id: 'run.schema.json' }) as {
      readonly properties: Readonly<Record<string, object>>
    }
    expect(json).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      title: 'A run',
      required: ['name'],
      additionalProperties: false,
    })
    expect(json.properties.rounds).toMatchObject({
      description: 'How many. Unit: rounds. Default: 3.',
      minimum: 1,
      maximum: 10,
    })
    expect(json.properties.clipNorm).toMatchObject({ description: 'Most. Default: by the model.' })
    expect(schemaComment('run.schema.json')).toBe('# yaml-language-server: $schema=run.schema.json')
  })

  it('is a row for each key', () => {
    const rows = keysOf(schema)
    expect(rows.map(({ path }) => path)).toEqual([
      'name',
      'rounds',
      'clipNorm',
      'target',
      'target.epsilon',
      'target.delta',
      'mode',
      'mode.name',
      'mode.size',
      'data',
    ])
    expect(rows[0]).toMatchObject({ values: 'text', default: 'needed', description: 'How it is called.' })
    expect(rows[1]).toMatchObject({ values: 'whole number from 1 to 10', unit: 'rounds', default: '`3`' })
    expect(rows[2]).toMatchObject({ default: 'by the model' })
    expect(rows.at(-1)).toMatchObject({ values: 'text, or list of text' })
  })
})
