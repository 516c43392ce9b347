import type { Cell } from './experiment.ts'
import type { Point } from './experiment-config.ts'
import type { CellResult } from './run-cell.ts'

/** A cell and what it came to. */
export interface FinishedCell {
  readonly cell: Pick<Cell, 'point' | 'seed' | 'request'>
  readonly result: CellResult
}

/** Columns of every experiment, behind those of its settings. */
const COLUMNS = [
  'seed',
  'round',
  'accuracy',
  'loss',
  'micro_f1',
  'majority',
  'hold_out_records',
  'epsilon',
  'sites',
  'seconds',
] as const

/** One row for each round of each cell, as CSV with a heading (RFC 4180). */
export function rowsAsCsv(finished: readonly FinishedCell[]): string {
  const keys = settingKeys(finished.map(({ cell }) => cell.point))
  const rows = finished.flatMap(({ cell: { point, seed, request }, result }) =>
    result.rounds.map(({ round, accuracy, loss, microF1, epsilon, sites, seconds }) => [
      ...keys.map((key) => point[key] ?? (key === 'method' ? request.method : '')),
      seed,
      round,
      accuracy ?? '',
      loss ?? '',
      microF1 ?? '',
      result.majority ?? '',
      result.holdOutRecords ?? '',
      epsilon,
      sites,
      seconds,
    ]),
  )
  return [[...keys, ...COLUMNS], ...rows].map((row) => `${row.map(field).join(',')}\r\n`).join('')
}

/** The keys in which the settings differ, the method first. */
export function settingKeys(points: readonly Point[]): readonly string[] {
  return [...new Set(['method', ...points.flatMap((point) => Object.keys(point))])]
}

function field(value: string | number | boolean): string {
  const text = String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
