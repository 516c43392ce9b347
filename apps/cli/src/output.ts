import { FedsvdError, isFedsvdError, systemFault } from '@fedsvd/core/errors'
import { ConfigFileError } from './config-file/faults.ts'
import { missingPackage } from './missing-package.ts'
import { printable, printableJson, printableLines } from './printable.ts'

/** Where a command writes: a person reads `line`, a machine reads `record`; errors go to stderr in both cases. */
export interface Output {
  readonly json: boolean
  /** A line for people; silent under --json. */
  line(text?: string): void
  /** One JSON document on a line of its own; silent without --json. */
  record(value: unknown): void
}

export function outputFor({ json = false }: { json?: boolean }): Output {
  return {
    json,
    line: (text = '') => {
      if (!json) process.stdout.write(`${printableLines(text)}\n`)
    },
    record: (value) => {
      if (json) process.stdout.write(`${printableJson(value)}\n`)
    },
  }
}

/** Prints an error as the one line of the catalogue (or as JSON) and leaves with exit code 1. */
export function fail(error: unknown, json: boolean): void {
  const known = isFedsvdError(error) ? error : (systemFault(error) ?? missingPackage(error) ?? unexpected(error))
  process.stderr.write(json ? `${printableJson({ error: known.toJSON() })}\n` : `${textOf(known)}\n`)
  if (!isFedsvdError(error) && process.env.FEDSVD_DEBUG !== undefined) console.error(error)
  process.exitCode = 1
}

function textOf(error: FedsvdError): string {
  return error instanceof ConfigFileError ? printableLines(error.text) : printable(error.message)
}

function unexpected(error: unknown): FedsvdError {
  return new FedsvdError('UNEXPECTED', {
    expected: 'no failure here',
    got: error instanceof Error ? error.message : String(error),
    remedy: 'Set FEDSVD_DEBUG=1 to see where it comes from, and report it',
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
