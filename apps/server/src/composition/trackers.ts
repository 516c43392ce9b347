import { isRunOver } from '@fedsvd/core/protocol'
import { adapterArtifacts, factsOf, RunFollower, type Tracker } from '../trackers/index.ts'
import { VERSION } from '../version.ts'
import type { BaseServices } from './base-services.ts'
import type { RunsAndViews } from './runs.ts'
import type { Storage } from './storage.ts'

/** As long as one request to a tracker may take. */
const TIMEOUT_MS = 10_000

/** Tells the trackers that the settings name of the runs of this coordinator, from its start on. */
export interface Trackers extends AsyncDisposable {
  /** Tells of the runs that are over, which a coordinator that was killed may not have told to the end. */
  start(): Promise<void>
}

/**
 * A run is told of by the coordinator that owns it. Of a run that ended elsewhere while this coordinator was here, the
 * other one has told.
 */
export async function composeTrackers(
  base: BaseServices,
  { store, blobs }: Storage,
  { runs, bounds }: RunsAndViews,
): Promise<Trackers> {
  const { config, clock, log, events } = base
  const lastWordsMs = 1000 * config.graceSeconds
  const told = new Set<string>()
  const factsOfOwn = async (runId: string) => {
    const facts = await factsOf(runId, { store, bounds })
    return facts !== undefined && (runs.active.has(runId) || isRunOver(facts.state)) ? facts : undefined
  }
  const trackers = await trackersOf(base, { store, blobs })
  const followers = trackers.map(
    (tracker) => new RunFollower({ tracker, factsOf: factsOfOwn, clock, log, lastWordsMs }),
  )
  const changed = (runId: string): void => {
    for (const follower of followers) follower.changed(runId)
  }
  if (followers.length > 0) {
    events.on('run.changed', (runId) => {
      if (runs.active.has(runId)) told.add(runId)
      if (told.has(runId)) changed(runId)
    })
  }
  return {
    async start() {
      if (followers.length === 0) return
      for (const { manifest, state } of await store.runs.list()) if (isRunOver(state)) changed(manifest.runId)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(followers.map((follower) => follower[Symbol.asyncDispose]()))
    },
  }
}

/** Nothing of a tracker is loaded unless the settings name it. */
async function trackersOf(
  { config, clock }: BaseServices,
  { store, blobs }: Pick<Storage, 'store' | 'blobs'>,
): Promise<readonly Tracker[]> {
  const { mlflowUrl, mlflowExperiment, mlflowUser, mlflowToken, mlflowArtifacts, tensorboardDir, trackSites } = config
  const trackers: Tracker[] = []
  if (mlflowUrl !== undefined) {
    const { mlflowTracker } = await import('../trackers/mlflow/tracker.ts')
    const access = { url: mlflowUrl, user: mlflowUser, token: mlflowToken, timeoutMs: TIMEOUT_MS }
    const artifactsOf = mlflowArtifacts ? adapterArtifacts(store.adapters, blobs) : undefined
    trackers.push(
      mlflowTracker({ ...access, experiment: mlflowExperiment, namesSites: trackSites, version: VERSION, artifactsOf }),
    )
  }
  if (tensorboardDir !== undefined) {
    const { tensorboardTracker } = await import('../trackers/tensorboard/tracker.ts')
    trackers.push(tensorboardTracker({ folder: tensorboardDir, namesSites: trackSites, now: () => clock.now() }))
  }
  return trackers
}
