import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { readLedger } from '../ledger/index.ts'

/**
 * The fingerprints by which the ledgers of a site name data sets: those that its own ledgers have charged or have a
 * statement of, and those that ledgers of earlier state folders are called by.
 *
 * @throws FedsvdError LEDGER_DAMAGED
 */
export function knownDatasets(stateDir: string, earlier: readonly string[]): ReadonlySet<string> {
  const own = ledgersIn(stateDir).flatMap((path) => {
    const { state } = readLedger(path)
    return state === undefined
      ? []
      : [...state.datasets, ...state.statements.flatMap((one) => (one.kind === 'disjoint' ? [one.dataset] : []))]
  })
  return new Set([...own, ...earlier.flatMap(ledgersIn).map((path) => basename(path, '.jsonl'))])
}

function ledgersIn(stateDir: string): readonly string[] {
  const folder = join(stateDir, 'ledgers')
  if (!existsSync(folder)) return []
  const files = readdirSync(folder).filter((file) => file.endsWith('.jsonl'))
  return files.sort().map((file) => join(folder, file))
}
