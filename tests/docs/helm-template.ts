import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse, parseAllDocuments, stringify } from 'yaml'

/*
 * As much of Helm's templates as the charts of this repository use: values, `toYaml | nindent`, `if`, `if not`, `else`,
 * `with`, `range`. What is not known is refused, so that a chart cannot pass that Helm would render otherwise.
 */

export interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  // biome-ignore lint/suspicious/noExplicitAny: the schemas of Kubernetes are not the subject
  readonly [field: string]: any
}

/** The values of a chart, as they are without others. */
export function chartValues(chart: string): Record<string, unknown> {
  return parse(readFileSync(path.join(chart, 'values.yaml'), 'utf8'))
}

/** The manifests of a chart. */
export function renderChart(chart: string, values: unknown, release: string): readonly Manifest[] {
  const folder = path.join(chart, 'templates')
  return readdirSync(folder).flatMap((file) => {
    const scope = { Values: values, Release: { Name: release } }
    const text = renderLines(readFileSync(path.join(folder, file), 'utf8').split('\n'), scope, scope)
    return parseAllDocuments(text).flatMap((document) => {
      if (document.errors.length > 0) throw new Error(`${file}: ${document.errors[0]!.message}\n${text}`)
      const manifest = document.toJS() as Manifest | null
      return manifest === null ? [] : [manifest]
    })
  })
}

const OPENING = /^\s*\{\{- (if|with|range) (.+) \}\}$/
const ELSE = /^\s*\{\{- else \}\}$/
const END = /^\s*\{\{- end \}\}$/

/** @param dot what `.` stands for @param root what names from the top begin at */
function renderLines(lines: readonly string[], root: unknown, dot: unknown): string {
  const rendered: string[] = []
  for (let index = 0; index < lines.length; index += 1) {
    const [, kind, expression] = OPENING.exec(lines[index]!) ?? []
    if (kind === undefined) {
      rendered.push(renderLine(lines[index]!, root, dot))
      continue
    }
    const { inside, otherwise, end } = blockFrom(lines, index)
    const value = resolved(expression!, root, dot)
    const items = kind === 'range' ? (value as readonly unknown[]) : isTrue(value) ? [value] : []
    const text = items.map((item) => renderLines(inside, root, kind === 'if' ? dot : item))
    rendered.push(...(items.length > 0 ? text : [renderLines(otherwise, root, dot)]))
    index = end
  }
  return rendered.filter((line) => line !== '').join('\n')
}

function blockFrom(lines: readonly string[], start: number) {
  let depth = 0
  let middle: number | undefined
  for (let index = start; index < lines.length; index += 1) {
    const line = lines[index]!
    if (OPENING.test(line)) depth += 1
    if (ELSE.test(line) && depth === 1) middle = index
    if (!END.test(line)) continue
    depth -= 1
    if (depth > 0) continue
    const inside = lines.slice(start + 1, middle ?? index)
    return { inside, otherwise: middle === undefined ? [] : lines.slice(middle + 1, index), end: index }
  }
  throw new Error(`expected an end of ${lines[start]}`)
}

function renderLine(line: string, root: unknown, dot: unknown): string {
  const block = /^\s*\{\{- toYaml (\S+) \| nindent (\d+) \}\}$/.exec(line)
  if (block !== null) {
    const text = stringify(resolved(block[1]!, root, dot)).trimEnd()
    return text.replace(/^/gm, ' '.repeat(Number(block[2])))
  }
  return line.replaceAll(/\{\{ (\S+) \}\}/g, (_, expression: string) => String(resolved(expression, root, dot)))
}

function resolved(expression: string, root: unknown, dot: unknown): unknown {
  const [, not, dotted] = /^(not )?(\.[\w.]*)$/.exec(expression) ?? []
  if (dotted === undefined) throw new Error(`expected an expression that is known here, got ${expression}`)
  const value = dotted === '.' ? dot : nested(root, dotted.slice(1).split('.'))
  return not === undefined ? value : !isTrue(value)
}

function nested(value: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return value
  if (typeof value !== 'object' || value === null || !(name in value)) throw new Error(`expected a value ${name}`)
  return nested((value as Record<string, unknown>)[name], rest)
}

/** As Go's templates have it: nothing, zero and what is empty are false. */
function isTrue(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value)
}
