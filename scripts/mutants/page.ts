import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mutant } from './table.ts'
import { ROOT } from './workspace.ts'

/** What became of a break when it was last tried. */
export interface Row {
  /** The file of tests that noticed it. */
  readonly noticedBy?: string
  readonly test?: string
}

const PAGE = join(ROOT, 'docs/reference/mutants.md')

const INTRODUCTION = `# Breaks of the lines that privacy rests on

\`npm run test:mutants\` breaks each of these lines, one at a time, in a copy of the tree, and runs the tests that have to notice. A break that
no test notices needs an argument why none can. This page is written by \`npm run test:mutants -- --write\`; the breaks stand in
\`scripts/mutants/table.ts\`. A break that crosses several lines is cut here to its first characters.
`

/** A break as one cell of the page. */
export function labelOf({ find, replace }: Mutant): string {
  const short = (text: string): string => {
    const line = text.trim().replace(/\s+/g, ' ')
    return line.length > 90 ? `${line.slice(0, 89)}…` : line
  }
  const code = (text: string): string => `\`\` ${short(text).replaceAll('|', '\\|')} \`\``
  return `${code(find)} → ${replace.trim() === '' ? 'nothing' : code(replace)}`
}

const keyOf = (mutant: Mutant): string => `${mutant.file}\n${labelOf(mutant)}`

/** The rows of the page as it stands, by break. */
export function readPage(): (mutant: Mutant) => Row | undefined {
  const rows = new Map<string, Row>()
  let file = ''
  for (const line of existsSync(PAGE) ? readFileSync(PAGE, 'utf8').split('\n') : []) {
    if (line.startsWith('## ')) file = line.slice(4, -1)
    const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
    const [, label, noticed] = cells
    if (label === undefined || noticed === undefined || !label.startsWith('``')) continue
    const [, noticedBy, test] = /^`([^`]+)`: (.*)$/.exec(noticed) ?? []
    rows.set(`${file}\n${label}`, noticedBy === undefined ? {} : { noticedBy, test: test! })
  }
  return (mutant) => rows.get(keyOf(mutant))
}

/** The page with `rowOf` of each break; what has not been tried yet is named. */
export function writePage(mutants: readonly Mutant[], rowOf: (mutant: Mutant) => Row | undefined): void {
  const files = [...new Set(mutants.map(({ file }) => file))]
  const sections = files.map((file) => {
    const lines = mutants
      .filter((one) => one.file === file)
      .map((one) => `| ${labelOf(one)} | ${noticed(one, rowOf(one))} |`)
    return `## \`${file}\`\n\n| break | noticed by |\n|---|---|\n${lines.join('\n')}\n`
  })
  writeFileSync(PAGE, [INTRODUCTION, ...sections].join('\n'))
}

function noticed({ equivalent }: Mutant, row: Row | undefined): string {
  if (equivalent !== undefined) return `nothing can: ${equivalent}`
  if (row?.noticedBy === undefined) return 'not tried yet'
  return `\`${row.noticedBy}\`: ${row.test?.replaceAll('|', '\\|')}`
}
