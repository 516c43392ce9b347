import { scheduledSteps } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import { type RunManifest, resolveManifest } from '@fedsvd/core/protocol'
import type { Approvals, PendingRun } from '../approvals/index.ts'
import { costOfRun } from '../ledger/index.ts'
import { type AgreementParts, judgeRun } from './open-runs.ts'

/** Offers that wait for a decision of the site; more are declined. */
const MOST_PENDING_RUNS = 16

/**
 * Asks whether a run has to wait for a decision of the site.
 *
 * @returns the run as it is listed while it waits; undefined where it may be agreed to
 * @throws FedsvdError SITE_DECLINED where the site decided against it, RATE_LIMITED where too many wait already,
 *   TERMS_CHANGED where it was listed under another manifest, and what a run is refused with that the site would not
 *   take part in anyhow
 */
export function runToAskAbout(
  manifest: RunManifest,
  parts: AgreementParts,
  approvals: Approvals,
  now: Date,
): PendingRun | undefined {
  const { policy, ledger } = parts
  if (policy.approval === 'auto' || ledger.state.runs.has(manifest.runId)) return undefined
  const run = pendingRun(manifest, parts, now)
  approvals.requireSameManifest(run)
  const decision = approvals.decided(run)
  if (decision === 'declined') throw declined(run)
  if (decision === 'approved') return undefined
  if (!approvals.has(run.runId) && approvals.size >= MOST_PENDING_RUNS) throw tooManyPending()
  return run
}

function pendingRun(manifest: RunManifest, parts: AgreementParts, now: Date): PendingRun {
  const { runId, name, method, rounds, localSteps } = manifest
  const { model, task, labels } = resolveManifest(manifest)
  const bound = judgeRun(manifest, parts)
  const { state } = parts.ledger
  const { coordinator, manifestSha256, terms, event } = bound
  return {
    runId,
    name,
    coordinator,
    manifestSha256,
    budget: state.name,
    offeredAt: now.toISOString(),
    model: model.name,
    task,
    method,
    labels: [...labels],
    unit: event.unit,
    rounds,
    steps: rounds * localSteps,
    terms,
    cost: costOfRun(state, bound, scheduledSteps(manifest), rounds),
  }
}

function declined({ name }: PendingRun): FedsvdError {
  return new FedsvdError('SITE_DECLINED', {
    expected: `an approval of the run "${name}"`,
    got: 'a decision of this site against it',
    remedy: 'Nothing was spent. fedsvd site approve decides otherwise; the run is then joined at the next connection.',
  })
}

function tooManyPending(): FedsvdError {
  return new FedsvdError('RATE_LIMITED', {
    expected: `at most ${MOST_PENDING_RUNS} runs that wait for a decision of this site`,
    got: 'one more',
    remedy: 'Decide about those that fedsvd site pending lists.',
  })
}
