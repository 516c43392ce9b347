import { z } from 'zod'
import type { RunFacts } from '../run-facts.ts'
import { TrackerRefused } from '../tracker.ts'
import {
  createdExperimentSchema,
  createdRunSchema,
  experimentSchema,
  foundRunsSchema,
  type MlflowRun,
} from './answers.ts'
import { type MlflowApi, MlflowRefusal } from './api.ts'

/** The tag by which a run of ours is found again. */
export const RUN_TAG = 'fedsvd.run'

/** The experiment of this name, made where there is none. */
export async function experimentId(api: MlflowApi, name: string, signal: AbortSignal): Promise<string> {
  const find = async (): Promise<string | undefined> => {
    const query = { experiment_name: name }
    const found = await api.get('experiments/get-by-name', query, experimentSchema, signal).catch(unlessMissing)
    if (found === undefined) return undefined
    const { experiment_id, lifecycle_stage } = found.experiment
    if (lifecycle_stage !== 'active') throw new TrackerRefused(`the experiment ${name} is ${lifecycle_stage}`)
    return experiment_id
  }
  const known = await find()
  if (known !== undefined) return known
  try {
    return (await api.post('experiments/create', { name }, createdExperimentSchema, signal)).experiment_id
  } catch (error) {
    const isRace = error instanceof MlflowRefusal && error.code === 'RESOURCE_ALREADY_EXISTS'
    const found = isRace ? await find() : undefined
    if (found === undefined) throw error
    return found
  }
}

/**
 * The run of MLflow that has our run's tag, made where there is none. Of several it is the one of the smallest
 * identifier. One that is new has to be looked for again: another coordinator may have made one at the same moment.
 */
export async function mlflowRunOf(
  api: MlflowApi,
  facts: RunFacts,
  { experiment, tags }: { readonly experiment: string; readonly tags: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<{ readonly run: MlflowRun; readonly isNew: boolean }> {
  const found = await find(api, facts.runId, experiment, signal)
  if (found.length > 0) return { run: first(found), isNew: false }
  const request = {
    experiment_id: experiment,
    start_time: facts.createdAt,
    run_name: facts.name,
    tags: [
      { key: RUN_TAG, value: facts.runId },
      { key: 'mlflow.runName', value: facts.name },
      ...Object.entries(tags).map(([key, value]) => ({ key, value })),
    ],
  }
  const { run } = await api.post('runs/create', request, createdRunSchema, signal)
  return { run, isNew: true }
}

/** For the one of two that were made at a time that is not gone on with. */
export async function deleteRun(api: MlflowApi, { info }: MlflowRun, signal: AbortSignal): Promise<void> {
  await api.post('runs/delete', { run_id: info.run_id }, z.unknown(), signal)
}

async function find(api: MlflowApi, runId: string, experiment: string, signal: AbortSignal): Promise<MlflowRun[]> {
  const request = {
    experiment_ids: [experiment],
    filter: `tags."${RUN_TAG}" = '${runId}'`,
    run_view_type: 'ALL',
    max_results: 100,
  }
  const { runs } = await api.post('runs/search', request, foundRunsSchema, signal)
  // A server that does not heed the filter must not have our figures written to runs of others.
  return runs.filter(({ data }) => data.tags.some(({ key, value }) => key === RUN_TAG && value === runId))
}

/** A run that somebody has deleted stands back behind one that is there. */
function first(runs: readonly MlflowRun[]): MlflowRun {
  const active = runs.filter(({ info }) => info.lifecycle_stage === 'active')
  const [chosen] = (active.length > 0 ? active : runs).toSorted((a, b) => (a.info.run_id < b.info.run_id ? -1 : 1))
  return chosen!
}

function unlessMissing(error: unknown): undefined {
  if (error instanceof MlflowRefusal && error.code === 'RESOURCE_DOES_NOT_EXIST') return undefined
  throw error
}
