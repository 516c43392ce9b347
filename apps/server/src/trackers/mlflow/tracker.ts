import { isRunOver } from '@fedsvd/core/protocol'
import { z } from 'zod'
import { parametersOf } from '../parameters.ts'
import { type LastSteps, pointsBehind } from '../points.ts'
import type { RunFacts } from '../run-facts.ts'
import { type Tracker, TrackerRefused } from '../tracker.ts'
import type { MlflowRun } from './answers.ts'
import { type MlflowAccess, MlflowApi } from './api.ts'
import { type ArtifactsOf, artifactRoot } from './artifacts.ts'
import { deleteRun, experimentId, mlflowRunOf } from './runs.ts'

/** MLflow takes 1000 metrics and 100 parameters in one request. */
const METRICS_AT_A_TIME = 500
/** The state of which artifacts have been stored. */
const ARTIFACTS_TAG = 'fedsvd.artifacts'

export interface MlflowOptions extends MlflowAccess {
  readonly experiment: string
  readonly namesSites: boolean
  /** The release of fedsvd. */
  readonly version: string
  /** What is stored of a run that is over; absent: nothing. */
  readonly artifactsOf?: ArtifactsOf | undefined
}

interface Known {
  readonly run: MlflowRun
  /** Made here a moment ago. */
  readonly isNew: boolean
  readonly last: LastSteps
  readonly parameters: Set<string>
  status: string
  artifacts: string | undefined
}

/** MLflow's words for how far a run is. */
const STATUS: Readonly<Record<RunFacts['state'], string>> = {
  waiting: 'RUNNING',
  running: 'RUNNING',
  paused: 'RUNNING',
  completed: 'FINISHED',
  stopped: 'KILLED',
  failed: 'FAILED',
}

/** A tracking server of MLflow: each of our runs is one of its runs, in one experiment. */
export function mlflowTracker(options: MlflowOptions): Tracker {
  const { experiment, namesSites, version, artifactsOf } = options
  const api = new MlflowApi(options)
  const known = new Map<string, Known>()
  const nothing = z.unknown()

  async function open(facts: RunFacts, signal: AbortSignal): Promise<Known> {
    const id = await experimentId(api, experiment, signal)
    const tags = { 'mlflow.source.name': 'fedsvd', 'mlflow.source.type': 'JOB', 'fedsvd.version': version }
    const { run, isNew } = await mlflowRunOf(api, facts, { experiment: id, tags }, signal)
    if (run.info.lifecycle_stage !== 'active') throw new TrackerRefused('its run was deleted there')
    const { metrics, params, tags: stored } = run.data
    return {
      run,
      isNew,
      last: new Map(metrics.map(({ key, step }) => [key, step])),
      parameters: new Set(params.map(({ key }) => key)),
      status: run.info.status,
      artifacts: stored.find(({ key }) => key === ARTIFACTS_TAG)?.value,
    }
  }

  async function log(runId: string, batch: object, signal: AbortSignal): Promise<void> {
    await api.post('runs/log-batch', { run_id: runId, ...batch }, nothing, signal)
  }

  return {
    name: 'MLflow',
    async bring(facts, signal) {
      const before = known.get(facts.runId)
      const state = before === undefined || before.isNew ? await open(facts, signal) : before
      if (before !== undefined && before.run.info.run_id !== state.run.info.run_id)
        await deleteRun(api, before.run, signal)
      known.set(facts.runId, state)
      const { run, last, parameters } = state
      const { run_id: id } = run.info
      const params = Array.from(parametersOf(facts), ([key, value]) => ({ key, value }))
      const missing = params.filter(({ key }) => !parameters.has(key))
      if (missing.length > 0) await log(id, { params: missing }, signal)
      for (const { key } of missing) parameters.add(key)
      for await (const points of pointsBehind(facts, last, { namesSites })) {
        for (let from = 0; from < points.length; from += METRICS_AT_A_TIME) {
          const metrics = points.slice(from, from + METRICS_AT_A_TIME).map(({ at, ...point }) => {
            return { ...point, timestamp: at }
          })
          await log(id, { metrics }, signal)
        }
      }
      const status = STATUS[facts.state]
      if (status !== state.status) {
        const end = facts.endedAt === undefined ? {} : { end_time: facts.endedAt }
        await api.post('runs/update', { run_id: id, status, ...end }, nothing, signal)
        state.status = status
      }
      if (artifactsOf !== undefined && isRunOver(facts.state)) await store(facts, state, artifactsOf, signal)
    },
    forget: (runId) => void known.delete(runId),
    async [Symbol.asyncDispose]() {},
  }

  async function store(facts: RunFacts, state: Known, artifacts: ArtifactsOf, signal: AbortSignal): Promise<void> {
    const { sha256, files } = await artifacts(facts)
    if (state.artifacts === sha256) return
    const root = artifactRoot(state.run.info.artifact_uri)
    for (const [name, bytes] of await files()) await api.putArtifact(`${root}/${name}`, bytes, signal)
    const tag = { run_id: state.run.info.run_id, key: ARTIFACTS_TAG, value: sha256 }
    await api.post('runs/set-tag', tag, nothing, signal)
    state.artifacts = sha256
  }
}
