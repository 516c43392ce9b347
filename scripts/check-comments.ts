/** Holds every line of a comment against the width of the code; prints each that is longer and exits with 1. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSync } from 'vite'

export const WIDTH = 120

/** An address cannot be wrapped, nor can what a tool reads in one line. */
const UNBREAKABLE = /https?:\/\/\S+|\b(?:oxlint|biome)-|^ \* {3}(?:node|npm) /

/** The lines of comments that are too wide, by number: whole-line comments, and those behind code. */
export function wideLines(file: string, source: string): number[] {
  const { comments } = parseSync(file, source)
  const lines = source.split('\n')
  const starts = [0]
  for (const line of lines) starts.push(starts.at(-1)! + line.length + 1)
  return lines.flatMap((line, at) => {
    if (line.length <= WIDTH || UNBREAKABLE.test(line)) return []
    const [from, to] = [starts[at]!, starts[at + 1]!]
    return comments.some(({ start, end }) => start < to && end > from) ? [at + 1] : []
  })
}

/** All code of the repository, tests and scripts included. */
function codeFiles(root: string): string[] {
  return ['packages', 'apps', 'tests', 'scripts', 'bench']
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
    )
    .filter((file) => /\.(?:tsx?|mjs)$/.test(file) && !/(?:^|\/)(?:node_modules|generated|dist|build)\//.test(file))
}

export function breachesOfTree(root: string): string[] {
  return codeFiles(root).flatMap((file) =>
    wideLines(file, readFileSync(join(root, file), 'utf8')).map(
      (line) => `${file}:${line}: a line with a comment of more than ${WIDTH} columns: wrap it`,
    ),
  )
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const breaches = breachesOfTree(join(dirname(fileURLToPath(import.meta.url)), '..'))
  for (const breach of breaches) console.error(breach)
  process.exitCode = breaches.length === 0 ? 0 : 1
}
