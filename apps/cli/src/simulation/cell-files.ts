import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import type { Cell } from './experiment.ts'
import type { CellResult } from './run-cell.ts'

/** The cells of an experiment that are finished, as files in its folder: what is there is not run again. */
export class CellFiles {
  readonly #folder: string

  /**
   * @param resume false refuses a folder that holds cells already
   * @throws FedsvdError CONFIG_INVALID
   */
  constructor(out: string, { resume }: { readonly resume: boolean }) {
    this.#folder = join(out, 'cells')
    if (!resume && existsSync(this.#folder) && readdirSync(this.#folder).length > 0) {
      throw new FedsvdError('CONFIG_INVALID', {
        expected: `a folder without results, or --resume to go on with those in ${out}`,
        got: 'a folder that holds cells of an experiment',
        remedy: 'Add --resume, or name another folder with --out.',
      })
    }
    mkdirSync(this.#folder, { recursive: true })
  }

  /** What a cell came to; undefined for one that is not finished, or whose file was damaged. */
  find({ id }: Pick<Cell, 'id'>): CellResult | undefined {
    try {
      const stored = JSON.parse(readFileSync(this.#path(id), 'utf8')) as { id?: unknown; result?: CellResult }
      return stored.id === id && Array.isArray(stored.result?.rounds) ? stored.result : undefined
    } catch {
      return undefined
    }
  }

  /** Keeps a finished cell, whole or not at all. */
  put(cell: Cell, result: CellResult): void {
    const temporary = `${this.#path(cell.id)}.${process.pid}.tmp`
    const { id, point, seed } = cell
    writeFileSync(temporary, `${JSON.stringify({ id, point, seed, result })}\n`)
    renameSync(temporary, this.#path(id))
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.json`)
  }
}
