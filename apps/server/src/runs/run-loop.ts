import { type FedsvdError, isFedsvdError, roundNumber } from '@fedsvd/core/errors'
import { aggregationRules, methods } from '@fedsvd/core/federation'
import type { RunManifest, RunState } from '@fedsvd/core/protocol'
import { isOutOfPatience } from '../evaluation/index.ts'
import { isOutage, sleep } from '../platform/index.ts'
import { announce, RunOver, runRound } from '../rounds/index.ts'
import type { ActiveRun } from './active-run.ts'

export interface Ending {
  readonly state: Extract<RunState, 'completed' | 'failed'>
  readonly reason?: string
}

/** The run cannot go on until an operator has done something, and then goes on where it stood. */
export interface Standstill {
  readonly state: Extract<RunState, 'paused'>
}

const MOST_FAILURES = 5
const LONGEST_PAUSE_MS = 10_000

/**
 * Runs a run from its first unpublished round to its end. It waits without limit for a database that does not answer
 * and for an object store that is full, and alerts operators to the latter; any other fault is retried a few times in
 * the same round, and then ends the run. Where stored objects or an extension are missing it pauses the run and alerts
 * operators to what is missing. Undefined when the run was aborted, or another coordinator has taken it over.
 */
export async function runUntilDone(run: ActiveRun): Promise<Ending | Standstill | undefined> {
  const missing = missingExtension(run.settings.manifest)
  if (missing !== undefined) {
    run.messages.log.error({ err: missing, runId: run.runId }, 'the run needs an extension that is not loaded')
    await raise(run, missing)
    return { state: 'paused' }
  }
  let failures = 0
  let failedRound: number | undefined
  while (!run.time.signal.aborted) {
    try {
      return await runRounds(run)
    } catch (error) {
      if (run.time.signal.aborted || isFedsvdError(error, 'LEASE_LOST')) return undefined
      if (error instanceof RunOver) {
        await run.evaluations.settled()
        return { state: error.state, reason: error.message }
      }
      const { runId } = run
      const round = run.rounds.current?.round
      failures = round === failedRound ? failures + 1 : 1
      failedRound = round
      run.messages.log.error({ err: error, runId, round, failures }, 'round interrupted')
      if (isFedsvdError(error, 'STORAGE_UNAVAILABLE') || isFedsvdError(error, 'OBJECT_MISSING')) await raise(run, error)
      if (isFedsvdError(error, 'OBJECT_MISSING')) return { state: 'paused' }
      if (!isOutage(error) && failures > MOST_FAILURES) {
        const which = round === undefined ? 'a round' : `round ${roundNumber(round)}`
        return { state: 'failed', reason: `${which} failed ${failures} times: ${messageOf(error)}` }
      }
      await sleep(run.time.clock, Math.min(LONGEST_PAUSE_MS, 250 * 2 ** failures), run.time.signal)
    }
  }
  return undefined
}

/** Of a run that was opened with an extension which this coordinator has not loaded: what is missing. */
function missingExtension({ method, aggregation }: RunManifest): FedsvdError | undefined {
  try {
    methods.get(method)
    if (aggregation !== undefined) aggregationRules.get(aggregation.name)
    return undefined
  } catch (error) {
    if (isFedsvdError(error)) return error
    throw error
  }
}

/** The path is for operators alone. An alert that cannot be stored is in the log, and readiness says the same. */
async function raise(run: ActiveRun, error: FedsvdError): Promise<void> {
  const { path } = (error.cause ?? {}) as { path?: unknown }
  const where = typeof path === 'string' ? ` It was ${path}.` : ''
  await run.messages.alert(error.code, error.message + where).catch((cause: unknown) => {
    run.messages.log.warn({ err: cause, runId: run.runId }, 'storing an alert failed')
  })
}

async function runRounds(run: ActiveRun): Promise<Ending> {
  const { runId } = run
  for (;;) {
    let round = await run.storage.store.rounds.publishedCount(runId)
    const unannounced = run.rounds.unannounced(round)
    if (unannounced !== undefined) await announce(unannounced)
    for (; round < (await run.settings.latestPlan()).rounds; round += 1) {
      await requirePatience(run)
      await runRound(await run.rounds.open(round))
    }
    await run.evaluations.settled()
    // it may have been extended meanwhile
    if (round >= (await run.settings.latestPlan()).rounds) return { state: 'completed' }
  }
}

/** @throws RunOver where the sites have found no better state for as long as the run allows */
async function requirePatience({ runId, settings, storage }: ActiveRun): Promise<void> {
  const { manifest } = settings
  const patience = manifest.siteEvaluation?.patience
  if (patience === undefined || !isOutOfPatience(manifest, await storage.store.rounds.published(runId))) return
  throw new RunOver(`no better state in ${patience} evaluations at the sites`, 'completed')
}

/** One line: reasons travel to clients. */
function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').trim().slice(0, 1000)
}
