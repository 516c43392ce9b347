import { approvalsFolder, type Decision, decide, type PendingRun } from '@fedsvd/client/approvals'
import { loadIdentity } from '@fedsvd/client/identity'
import { FedsvdError } from '@fedsvd/core/errors'
import { allNamed } from '../run/find.ts'
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
  const run = meantRun(pendingRuns(stateDir), which)
  const { sign } = loadIdentity(stateDir, run.coordinator, run.budget)
  const signed = decide(run, decision, now, sign)
  approvalsFolder(stateDir, run.budget).record(signed)
  return { run, decision: signed }
}

function meantRun(waiting: readonly PendingRun[], which: string): PendingRun {
  const named = waiting.map((run) => ({ run, id: run.runId, name: run.name }))
  const found = which.length > 0 ? allNamed(named, which, 1).map(({ run }) => run) : []
  const [run] = found
  if (run !== undefined && found.length === 1) return run
  const list = waiting.map(({ runId, name }) => `${runId} ("${name}")`).join(', ')
  throw new FedsvdError('RUN_NOT_FOUND', {
    expected: waiting.length === 0 ? 'a run that waits for a decision of this site' : `one of the runs ${list}`,
    got: found.length > 1 ? `"${which}", which names several` : JSON.stringify(which.slice(0, 60)),
    remedy: 'See fedsvd site pending. A run waits while its client is connected to the coordinator.',
  })
}
