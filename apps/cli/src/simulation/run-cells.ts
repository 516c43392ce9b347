import type { FedsvdError } from '@fedsvd/core/errors'
import type { CellFiles } from './cell-files.ts'
import { type Cell, updatesOf } from './experiment.ts'
import type { FinishedCell } from './rows.ts'
import type { CellResult } from './run-cell.ts'
import { asFault, type CellRunner } from './runners.ts'

/** A cell that did not come to its end. */
export interface FailedCell {
  readonly cell: Cell
  readonly error: FedsvdError
}

/** What the cells of an experiment have come to. */
export interface Outcome {
  /** In the order of the cells. */
  readonly finished: readonly FinishedCell[]
  readonly failed: readonly FailedCell[]
}

export interface Pace {
  /** Cells that are finished, those of an earlier start included, and how many there are. */
  readonly cells: number
  readonly of: number
  /** At the pace so far; infinite before there is one. */
  readonly secondsLeft: number
}

export interface CellListeners {
  onPace(pace: Pace): void
  onFinished(cell: Cell, result: CellResult, outcome: Outcome): void
  onFailed(failed: FailedCell): void
}

/**
 * Runs the cells that are not finished yet, as many at a time as there are runners. One that fails is told of, and the
 * others go on.
 */
export async function runCells(
  cells: readonly Cell[],
  { runners, files, signal }: { runners: readonly CellRunner[]; files: CellFiles; signal: AbortSignal },
  { onPace, onFinished, onFailed }: CellListeners,
  now: () => number = () => performance.now(),
): Promise<Outcome> {
  const results = new Map<string, CellResult>()
  const failures = new Map<string, FailedCell>()
  for (const cell of cells) {
    const known = files.find(cell)
    if (known !== undefined) results.set(cell.id, known)
  }
  const waiting = cells.filter(({ id }) => !results.has(id))
  const work = waiting.reduce((sum, cell) => sum + updatesOf(cell), 0)
  const done = new Map<string, number>()
  const begun = now()
  const outcome = (): Outcome => ({
    finished: cells.flatMap((cell) => {
      const result = results.get(cell.id)
      return result === undefined ? [] : [{ cell, result }]
    }),
    failed: [...failures.values()],
  })
  const pace = (): void => {
    const updates = [...done.values()].reduce((sum, each) => sum + each, 0)
    const secondsLeft =
      updates === 0 ? Number.POSITIVE_INFINITY : (((now() - begun) / updates) * (work - updates)) / 1000
    onPace({ cells: results.size, of: cells.length, secondsLeft: Math.max(0, secondsLeft) })
  }
  const next = waiting[Symbol.iterator]()
  const workOff = async (runner: CellRunner): Promise<void> => {
    for (const cell of { [Symbol.iterator]: () => next }) {
      if (signal.aborted) return
      try {
        const result = await runner.run(cell, (updates) => {
          done.set(cell.id, updates)
          pace()
        })
        files.put(cell, result)
        results.set(cell.id, result)
        onFinished(cell, result, outcome())
      } catch (error) {
        if (signal.aborted) return
        const failed = { cell, error: asFault(error) }
        failures.set(cell.id, failed)
        onFailed(failed)
      }
      done.set(cell.id, updatesOf(cell))
      pace()
    }
  }
  pace()
  await Promise.all(runners.map(workOff))
  return outcome()
}
