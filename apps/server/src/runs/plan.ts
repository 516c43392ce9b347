import { FedsvdError } from '@fedsvd/core/errors'
import { minUpdates } from '@fedsvd/core/federation'
import {
  bufferOf,
  isRunOver,
  type PlanChange,
  planOf,
  type RunManifest,
  type RunPlan,
  resolveManifest,
} from '@fedsvd/core/protocol'
import { checkClientDelta } from '../privacy/index.ts'
import type { AuditDraft, PlanRecord, Store } from '../storage/records/index.ts'

const LONGEST_DEADLINE_SECONDS = 30 * 24 * 3600
const MOST_CLIENTS = 2 ** 31 - 1

/** What else of a run decides which plans it can have. */
type Fixed = Pick<RunManifest, 'aggregation' | 'clientLevel' | 'mode'>

/** @throws FedsvdError CONFIG_INVALID, or DELTA_TOO_LARGE for client-level terms */
export function checkPlan(
  { quorum, clientsPerRound, deadlineSeconds }: RunPlan,
  { clientLevel, ...fixed }: Fixed,
): void {
  const { aggregation } = resolveManifest(fixed)
  const buffer = bufferOf(fixed)
  if (quorum > clientsPerRound) {
    throw invalid(
      `a quorum of at most clientsPerRound, ${clientsPerRound}`,
      String(quorum),
      'Lower the quorum or ask more clients.',
    )
  }
  if (buffer !== undefined && quorum > buffer.bufferSize) {
    throw invalid(
      `a quorum of at most mode.bufferSize, ${buffer.bufferSize}`,
      String(quorum),
      'It is the fewest updates with which a buffer is closed at its deadline.',
    )
  }
  if (clientsPerRound > MOST_CLIENTS) {
    throw invalid(`clientsPerRound of at most ${MOST_CLIENTS}`, String(clientsPerRound), 'Ask fewer clients.')
  }
  const least = minUpdates(aggregation)
  if (quorum < least) {
    throw invalid(
      `a quorum of at least ${least} for ${JSON.stringify(aggregation)}`,
      String(quorum),
      'Ask more clients, or expect fewer malicious ones.',
    )
  }
  if (deadlineSeconds > LONGEST_DEADLINE_SECONDS) {
    throw invalid(
      `deadlineSeconds of at most ${LONGEST_DEADLINE_SECONDS}`,
      String(deadlineSeconds),
      'Choose a shorter deadline.',
    )
  }
  if (clientLevel !== undefined) checkClientDelta(clientLevel.budget.delta, clientsPerRound)
}

export interface PlanChangeParts {
  readonly store: Store
  readonly change: PlanChange
  readonly audit: AuditDraft
}

/**
 * Stores another plan beside those before it; the manifest, to which clients have agreed, stays as it is. Rounds that
 * have begun go on by the plan that they began with.
 *
 * @throws FedsvdError RUN_STATE when the run has ended, CONFIG_INVALID for a plan that it cannot have
 */
export async function changePlan(
  manifest: RunManifest,
  { store, change, audit }: PlanChangeParts,
): Promise<PlanRecord> {
  const { runId } = manifest
  for (;;) {
    const last = (await store.runs.plans(runId)).at(-1)
    const plan = { ...planOf(manifest, last), ...change }
    checkPlan(plan, manifest)
    const published = await store.rounds.publishedCount(runId)
    const begun = published + ((await store.rounds.find(runId, published)) === undefined ? 0 : 1)
    if (plan.rounds < begun) {
      throw invalid(
        `at least ${begun} rounds, which have begun`,
        String(plan.rounds),
        'Stop the run to end it earlier.',
      )
    }
    const run = await store.runs.find(runId)
    if (run !== undefined && isRunOver(run.state)) {
      throw new FedsvdError('RUN_STATE', {
        expected: 'a run that has not ended',
        got: run.state,
        remedy: 'Open a new run.',
      })
    }
    const record: PlanRecord = {
      runId,
      ...plan,
      version: (last?.version ?? 0) + 1,
      changedAt: audit.at,
      changedBy: audit.actor,
    }
    if (await store.runs.addPlan(record, { ...audit, detail: { ...change, version: record.version } })) return record
    // Another change was stored first, or a round began just now: read again.
  }
}

function invalid(expected: string, got: string, remedy: string): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', { expected, got, remedy })
}
