import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { clientsOn } from '@fedsvd/client'
import { approvalsFolder, type PendingRun } from '@fedsvd/client/approvals'
import { type LoggedEvent, readEventLog } from '@fedsvd/client/event-log'
import { type BudgetInUse, budgetInUse, readLedger } from '@fedsvd/client/ledger'
import { FedsvdError } from '@fedsvd/core/errors'
import { type RunUnderWay, runsUnderWay } from './runs-under-way.ts'

/** What one client of a site is at: the one of the site's budget, or of a budget with a name of its own. */
export interface SiteClient {
  readonly budget: string
  readonly isRunning: boolean
  /** Undefined until the first run is agreed to. */
  readonly spending: BudgetInUse | undefined
  readonly runs: readonly RunUnderWay[]
  readonly pending: readonly PendingRun[]
  readonly log: readonly LoggedEvent[]
}

/**
 * Looks at the clients of a state folder, running or not; changes nothing.
 *
 * @throws FedsvdError CONFIG_INVALID where no client has run on it, LEDGER_DAMAGED
 */
export function siteClients(stateDir: string): readonly SiteClient[] {
  const clients = clientsOn(stateDir)
  if (clients.length === 0) throw noClient(stateDir)
  return clients.map(({ budget, isRunning }) => {
    const log = readEventLog(stateDir, budget)
    const pending = isRunning ? pendingOf(stateDir, budget) : []
    const runs = isRunning ? runsUnderWay(log) : []
    return { budget, isRunning, spending: spendingOf(stateDir, budget), runs, pending, log }
  })
}

/** The runs that wait for a decision at the clients of a state folder that run, the oldest offer first. */
export function pendingRuns(stateDir: string): readonly PendingRun[] {
  const clients = clientsOn(stateDir)
  if (clients.length === 0) throw noClient(stateDir)
  return clients.filter(({ isRunning }) => isRunning).flatMap(({ budget }) => pendingOf(stateDir, budget))
}

function pendingOf(stateDir: string, budget: string): readonly PendingRun[] {
  return approvalsFolder(stateDir, budget).pending()
}

function spendingOf(stateDir: string, budget: string): BudgetInUse | undefined {
  const folder = join(stateDir, 'ledgers')
  const file = (existsSync(folder) ? readdirSync(folder) : []).find((name) => basename(name, '.jsonl') === budget)
  const state = file === undefined ? undefined : readLedger(join(folder, file)).state
  return state && budgetInUse(state)
}

function noClient(stateDir: string): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', {
    expected: `a state folder on which a client has run, in ${stateDir}`,
    got: existsSync(stateDir) ? 'a folder without one' : 'no such folder',
    remedy: 'Name the one of fedsvd join with --state-dir, or its site configuration with --config.',
  })
}
