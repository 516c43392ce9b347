import { readFileSync } from 'node:fs'
import path from 'node:path'
import { compileFunction } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { sourceFiles } from '../../scripts/check-imports.ts'

/*
 * Every `@example` of a docstring is run. It ends with an expression and a comment that says what it comes to:
 * `scheduledSteps({ rounds: 12, localSteps: 5 }) // 62`. It may use whatever its own room and core export. A number is
 * held to the digits that are written.
 */
const ROOT = path.resolve(import.meta.dirname, '../..')
const CORE = ['accounting', 'federation', 'lora', 'privacy', 'protocol', 'registry']
const EXAMPLE = /@example([\s\S]*?)(?=\n\s*\*\s*@|\n?\s*\*\/)/g

interface Example {
  readonly file: string
  readonly code: string
  readonly expected: string
}

function examplesOf(file: string): Example[] {
  const source = readFileSync(path.join(ROOT, file), 'utf8')
  return Array.from(source.matchAll(EXAMPLE), ([, text = '']) => {
    const whole = text.replaceAll(/\n\s*\* ?/g, '\n').trim()
    const [code, expected] = whole.split(/\s\/\/ (?=[^\n]*$)/)
    return { file, code: code!, expected: expected ?? '' }
  })
}

const examples = sourceFiles(ROOT)
  .filter((file) => file.startsWith('packages/'))
  .flatMap(examplesOf)
const rooms = await Promise.all(CORE.map((room) => import(`../../packages/core/src/${room}/index.ts`)))
const exported: Record<string, unknown> = Object.assign({}, ...rooms)

async function evaluate(code: string, file: string): Promise<unknown> {
  const known = { ...exported, ...(await import(path.join(ROOT, file))) }
  const lines = code.split('\n')
  const body = [...lines.slice(0, -1), `return ${lines.at(-1)}`].join('\n')
  return compileFunction(body, Object.keys(known))(...Object.values(known))
}

/** Decimals of a number as it is written; a computed one has as many as it needs. */
const decimalsOf = (written: string): number => (/^-?\d[\d_]*\.(\d+)$/.exec(written)?.[1] ?? '').length

describe('the examples of docstrings', () => {
  it('are there for what people call first', () => {
    expect(examples.length).toBeGreaterThan(12)
  })

  it.each(examples)('$file: $code', async ({ file, code, expected }) => {
    expect(expected).not.toBe('')
    const [value, wanted] = [await evaluate(code, file), await evaluate(expected, file)]
    if (typeof wanted !== 'number') expect(plain(value)).toEqual(wanted)
    else if (Number.isInteger(wanted)) expect(value).toBe(wanted)
    else expect(value).toBeCloseTo(wanted, decimalsOf(expected) || 15)
  })
})

/** A typed array as a list, as an example writes it. */
const plain = (value: unknown): unknown => (ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value)
