import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FedsvdError, isFedsvdError, writtenByNewer } from '@fedsvd/core/errors'
import { BAD_TEXT_MARK, type DataPaths, type ReadOptions, readableRows } from '@fedsvd/engine/datasets'
import { z } from 'zod'
import { writeFileDurably } from '../platform/index.ts'
import { overlapOf, type Sketch, Sketcher } from './sketch.ts'

/** Two data sets of which the smaller shares more than this with the other cannot have budgets of their own. */
export const MOST_OVERLAP = 0.01

const sketchSchema = z.strictObject({
  format: z.literal(1),
  rows: z.number().int().min(0),
  limit: z.number().nullable(),
  digests: z.array(z.number()),
})

/**
 * Keyed digests of every data set that a site has trained on, in its state folder (mode 0600). None of it is sent
 * anywhere.
 */
export interface SeenData {
  /** Digests a data set, once, and keeps them by its fingerprint. */
  record(fingerprint: string, paths: DataPaths, options: ReadOptions): Promise<void>
  /**
   * Refuses a data set that shares records with one that another budget pays for.
   *
   * @throws FedsvdError DATA_OVERLAPS, also where the other one was never digested here and so cannot be compared
   */
  requireDisjoint(fingerprint: string, others: readonly { readonly dataset: string; readonly budget: string }[]): void
}

export function seenData(stateDir: string): SeenData {
  const folder = join(stateDir, 'seen-data')
  const pathOf = (fingerprint: string): string => join(folder, `${fingerprint}.json`)
  return {
    async record(fingerprint, paths, options) {
      if (existsSync(pathOf(fingerprint))) return
      const { rows, limit, digests } = await sketchOf(paths, options, keyIn(folder))
      const stored = { format: 1, rows, limit: Number.isFinite(limit) ? limit : null, digests }
      writeFileDurably(pathOf(fingerprint), Buffer.from(JSON.stringify(stored)))
    },
    requireDisjoint(fingerprint, others) {
      for (const { dataset, budget } of others) {
        if (dataset === fingerprint) throw overlaps('all of its records', budget)
        const [own, theirs] = [readSketch(pathOf(fingerprint)), readSketch(pathOf(dataset))]
        if (own === undefined || theirs === undefined) throw overlaps('records that cannot be compared', budget)
        const share = overlapOf(own, theirs)
        if (share > MOST_OVERLAP) throw overlaps(`${(100 * share).toFixed(1)} % of what the smaller one holds`, budget)
      }
    },
  }
}

async function sketchOf(paths: DataPaths, options: ReadOptions, key: Uint8Array): Promise<Sketch> {
  const sketcher = new Sketcher(key)
  try {
    // a file that breaks off is trained on up to there, and digested up to there
    const rows = readableRows(paths, { ...options, onBadText: () => BAD_TEXT_MARK }, () => {})
    for await (const { value } of rows) sketcher.add(value)
  } catch (error) {
    if (!isFedsvdError(error)) throw error
  }
  return sketcher.finish()
}

/** A secret of this state folder: digests of two sites cannot be compared, and a guess cannot be tested without it. */
function keyIn(folder: string): Uint8Array {
  const path = join(folder, 'secret')
  if (!existsSync(path)) writeFileDurably(path, randomBytes(32))
  return readFileSync(path)
}

function readSketch(path: string): Sketch | undefined {
  if (!existsSync(path)) return undefined
  const stored = jsonIn(path)
  if (typeof stored?.format === 'number' && stored.format > 1) {
    throw writtenByNewer(`the digests in ${path}`, 1, `format ${stored.format}`)
  }
  const result = sketchSchema.safeParse(stored)
  if (!result.success) return undefined // what cannot be compared is taken for overlapping
  const { rows, limit, digests } = result.data
  return { rows, digests, limit: limit ?? Number.POSITIVE_INFINITY }
}

function jsonIn(path: string): { readonly format?: unknown } | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as { format?: unknown }
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function overlaps(shared: string, budget: string): FedsvdError {
  return new FedsvdError('DATA_OVERLAPS', {
    expected: `a data set that shares at most ${100 * MOST_OVERLAP} % with those of the budget "${budget}"`,
    got: `${shared} in common with one of them`,
    remedy:
      'The same people would be charged to two budgets. Train on these data under that budget; a data set that was never ' +
      'digested here can be compared once this site has started with it.',
  })
}
