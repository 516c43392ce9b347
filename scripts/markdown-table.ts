import type { z } from 'zod'
import { keysOf } from '../apps/cli/src/config-file/index.ts'

/** A table of Markdown. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}

/** All keys of a configuration file. @param otherwise what is said of a key that says nothing of itself */
export function keysTable(schema: z.ZodType, otherwise = ''): string {
  const rows = keysOf(schema).map((key) => [
    `\`${key.path}\``,
    key.values,
    key.unit,
    key.default,
    key.description || otherwise,
  ])
  return markdownTable(['key', 'values', 'unit', 'default', 'meaning'], rows)
}
