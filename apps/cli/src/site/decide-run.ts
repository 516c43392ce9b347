import { approvalsFolder, type Decision, decide, type PendingRun } from '@fedsvd/client/approvals'
import { loadIdentity } from '@fedsvd/client/identity'
import { FedsvdError } from '@fedsvd/core/errors'
import { pendingRuns } from './site-state.ts'

/**
 * Decides about a run that waits at this site, signed with the site's key; the running client takes it from there.
 *
 * @param which the run's name or identifier, or so much of its beginning that no other run has
 * @throws FedsvdError RUN_NOT_FOUND where no run that waits is named so, or several are
 */
export function decideRun(
  stateDir: string,
  which: string,
  decision: Decision['decision'],
  now: Date,
): { readonly run: PendingRun; readonly decision: Decision } {
  const run = named(pendingRuns(stateDir), which)
  const { sign } = loadIdentity(stateDir, run.coordinator, run.budget)
  const signed = decide(run, decision, now, sign)
  approvalsFolder(stateDir, run.budget).record(signed)
  return { run, decision: signed }
}

function named(waiting: readonly PendingRun[], which: string): PendingRun {
  // Names are the coordinator's choice: one that is the identifier of another run must not stand for that run.
  const byId = waiting.filter(({ runId }) => which.length > 0 && runId.startsWith(which.toLowerCase()))
  const byName = waiting.filter(({ name, runId }) => name === which && !runId.startsWith(which.toLowerCase()))
  const exact = byId.filter(({ runId }) => runId === which.toLowerCase())
  const found = exact.length > 0 ? exact : [...byId, ...byName]
  const [run] = found
  if (run !== undefined && found.length === 1 && which.length > 0) return run
  const list = waiting.map(({ runId, name }) => `${runId} ("${name}")`).join(', ')
  throw new FedsvdError('RUN_NOT_FOUND', {
    expected: waiting.length === 0 ? 'a run that waits for a decision of this site' : `one of the runs ${list}`,
    got: found.length > 1 ? `"${which}", which names several` : JSON.stringify(which.slice(0, 60)),
    remedy: 'See fedsvd site pending. A run waits while its client is connected to the coordinator.',
  })
}
