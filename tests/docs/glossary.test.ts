import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseSync } from 'vite'
import { describe, expect, it } from 'vitest'
import { sourceFiles } from '../../scripts/check-imports.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(`${root}/docs/explanation/glossary.md`, 'utf8')

/** The rows of every table with this header. */
function rowsOf(header: string): string[][] {
  return page
    .split('\n\n')
    .filter((block) => block.startsWith(header))
    .flatMap((block) => block.trim().split('\n').slice(2))
    .map((row) => row.slice(2, -2).split(' | '))
}

interface Node {
  readonly type: string
  readonly [key: string]: unknown
}

const isNode = (value: unknown): value is Node => typeof (value as Node | null)?.type === 'string'

/** All text in a node: literals and the fixed parts of templates. */
function textsIn(node: Node): string[] {
  if (node.type === 'Literal') return typeof node.value === 'string' ? [node.value] : []
  if (node.type === 'TemplateElement') return [String((node.value as { raw: string }).raw)]
  return childrenOf(node).flatMap(textsIn)
}

const childrenOf = (node: Node): Node[] => Object.values(node).flat().filter(isNode)

/** True for `log.warn(…)`, `this.#log.error(…)`, `new FedsvdError(…)`, and what alerts are raised with. */
function isMessage({ type, callee }: Node): boolean {
  if (!isNode(callee)) return false
  if (type === 'NewExpression') return callee.name === 'FedsvdError' || callee.name === 'RunOver'
  if (type !== 'CallExpression' || callee.type !== 'MemberExpression') return false
  const { object, property } = callee as Node & { object: Node; property: Node }
  const of = String(((object.property as Node | undefined) ?? object).name)
  return of === 'log' || of === 'logger' || property.name === 'alert' || property.name === 'raise'
}

/** What operators and users read of a file: its log lines, errors and alerts. */
function messagesOf(file: string, source: string): string[] {
  const visit = (node: Node): string[] => (isMessage(node) ? textsIn(node) : childrenOf(node).flatMap(visit))
  return visit(parseSync(file, source).program as unknown as Node)
}

describe('the glossary', () => {
  const terms = rowsOf('| term | meaning |')
  const forbidden = rowsOf('| not | but |')

  it('defines each term once, in a sentence', () => {
    const names = terms.map(([name]) => name!)
    expect(names.length).toBeGreaterThan(50)
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([])
    expect(terms.filter(([, meaning]) => !/^[A-Z].*[.`]$/s.test(meaning ?? ''))).toEqual([])
  })

  it('reads what is logged, raised and thrown, and nothing else', () => {
    const source = `
      this.#log.warn({ err }, 'first')
      run.messages.log.error('second')
      throw new FedsvdError('CODE', { expected: \`third \${x}\`, got: 'fourth' })
      await run.messages.alert(code, 'fifth')
      const other = 'a driver of a device'`
    expect(messagesOf('x.ts', source)).toEqual(['first', 'second', 'CODE', 'third ', '', 'fourth', 'fifth'])
  })

  it('keeps the words that it rules out from log lines, errors and alerts', () => {
    expect(forbidden.length).toBeGreaterThan(5)
    const words = new RegExp(`\\b(?:${forbidden.map(([word]) => word).join('|')})\\b`, 'i')
    const found = sourceFiles(root).flatMap((file) =>
      messagesOf(file, readFileSync(`${root}/${file}`, 'utf8'))
        .filter((text) => words.test(text))
        .map((text) => `${file}: ${text}`),
    )
    expect(found).toEqual([])
  })

  it('keeps what an error got from being a word without a value', () => {
    const empty = /\bgot: (?:[^\n]*[?:] )?'(?:others|less|more|something else|none|another|another one|nothing)'/
    const found = sourceFiles(root).filter((file) => empty.test(readFileSync(`${root}/${file}`, 'utf8')))
    expect(found).toEqual([])
  })
})
