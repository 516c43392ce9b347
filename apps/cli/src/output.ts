import { FedsvdError, isFedsvdError, systemFault } from '@fedsvd/core/errors'
import { ConfigFileError } from './config-file/faults.ts'
import { exitCodeOf } from './exit-codes.ts'
import { missingPackage } from './missing-package.ts'
import { printable, printableJson, printableLines } from './printable.ts'

/** Where a command writes: a person reads `line`, a machine reads `record`; errors go to stderr in both cases. */
export interface Output {
  readonly json: boolean
  /** A line for people; silent under --json and --quiet. */
  line(text?: string): void
  /** One JSON document on a line of its own; silent without --json. */
  record(value: unknown): void
}

export function outputFor({ json = false, quiet = false }: { json?: boolean; quiet?: boolean }): Output {
  return {
    json,
    line: (text = '') => {
      if (!json && !quiet) process.stdout.write(`${printableLines(text)}\n`)
    },
    record: (value) => {
      if (json) process.stdout.write(`${printableJson(value)}\n`)
    },
  }
}

/**
 * Prints an error as the one line of the catalogue (as JSON under --json, in several lines at a terminal) and leaves
 * with the exit code of its kind.
 *
 * @param isVerbose shows what is behind it, too
 */
export function fail(error: unknown, json: boolean, isVerbose = process.env.FEDSVD_DEBUG !== undefined): void {
  const known = isFedsvdError(error) ? error : (systemFault(error) ?? missingPackage(error) ?? unexpected(error))
  const { stderr, env } = process
  const atTerminal = { isColoured: isColoured(env) }
  const text = stderr.isTTY ? terminalText(known, atTerminal) : lineOf(known)
  stderr.write(json ? `${printableJson({ error: known.toJSON() })}\n` : `${text}\n`)
  const behind = isFedsvdError(error) ? error.cause : error
  if (isVerbose && behind !== undefined) console.error(behind)
  process.exitCode = exitCodeOf(known.code)
}

/** NO_COLOR (https://no-color.org), when it is set to anything, asks for none. */
function isColoured({ NO_COLOR, TERM }: NodeJS.ProcessEnv): boolean {
  return !NO_COLOR && TERM !== 'dumb'
}

/** An error as people read it at a terminal. */
export function terminalText(error: FedsvdError, { isColoured }: { readonly isColoured: boolean }): string {
  const paint = (code: number, text: string): string => (isColoured ? `\u001b[${code}m${text}\u001b[0m` : text)
  const heading = `${paint(31, 'error')} ${paint(1, printable(error.code))}`
  if (error instanceof ConfigFileError) {
    const [first, ...faults] = error.text.split('\n').map(printable)
    return [`${heading}${first!.slice(error.code.length)}`, ...faults.map((fault) => `  ${fault}`)].join('\n')
  }
  const { expected, got, remedy } = error.detail
  const lines = [`expected  ${expected}`, `got       ${got}`, `do        ${remedy}`]
  return [heading, ...lines.map((line) => `  ${printable(line)}`)].join('\n')
}

function lineOf(error: FedsvdError): string {
  return error instanceof ConfigFileError ? printableLines(error.text) : printable(error.message)
}

function unexpected(error: unknown): FedsvdError {
  return new FedsvdError('UNEXPECTED', {
    expected: 'no failure here',
    got: error instanceof Error ? error.message : String(error),
    remedy: 'Add --verbose to see where it comes from, and report it',
  })
}

/** Left-aligned text columns, right-aligned numbers; the first row is the heading. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const cells = rows.map((row) => row.map((cell) => printable(String(cell))))
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  const numeric = rows[0]!.map((_, column) => rows.slice(1).every((row) => /^[\d.,<>≤ %-]*$/.test(String(row[column]))))
  return cells
    .map((row) =>
      row
        .map((cell, column) => (numeric[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
