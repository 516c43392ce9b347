import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isFedsvdError } from '@fedsvd/core/errors'
import type { FileLock } from '@fedsvd/engine/files/locks'
import { lockLedger } from '../ledger/index.ts'
import { ifThere, makeFolderDurably } from '../platform/index.ts'

/** A data set, and the budget that pays for it. */
export interface DatasetInUse {
  readonly dataset: string
  readonly budget: string
}

const HOLD = /^([a-z][a-z0-9-]*)\.([0-9a-f]{64})\.lock$/

/**
 * Says, for as long as it is held, that a client trains on this data set under this budget: its ledger names the data
 * set with the first run only, and a client of another budget may start before that.
 *
 * @throws FedsvdError LEDGER_LOCKED where another process says so already
 */
export function holdDataset(stateDir: string, { dataset, budget }: DatasetInUse): FileLock {
  const folder = folderIn(stateDir)
  makeFolderDurably(folder)
  return lockLedger(join(folder, `${budget}.${dataset}.lock`))
}

/** The data sets that clients are held on now, but for those of one budget. */
export function datasetsInUse(stateDir: string, except: string): readonly DatasetInUse[] {
  const folder = folderIn(stateDir)
  return (ifThere(() => readdirSync(folder)) ?? []).flatMap((name) => {
    const [, budget, dataset] = HOLD.exec(name) ?? []
    if (budget === undefined || dataset === undefined || budget === except) return []
    return isHeld(join(folder, name)) ? [{ dataset, budget }] : []
  })
}

function isHeld(path: string): boolean {
  try {
    lockLedger(path)[Symbol.dispose]()
    return false
  } catch (error) {
    if (isFedsvdError(error, 'LEDGER_LOCKED')) return true
    throw error
  }
}

function folderIn(stateDir: string): string {
  return join(stateDir, 'in-use')
}
