import { FedsvdError } from '@fedsvd/core/errors'
import type { RegisteredModelView, RegisterModelRequest } from '@fedsvd/core/protocol'
import { actorOf, type Caller, ownsRun } from '../identity/index.ts'
import type { RegisteredModel, Store } from '../storage/records/index.ts'
import { stateOfRun } from './state-of-run.ts'

export interface RegistryParts {
  readonly store: Pick<Store, 'runs' | 'rounds' | 'adapters' | 'registeredModels'>
  readonly by: Caller
  readonly now: () => number
}

/**
 * Gives a state of a run a name, or the version that it has already other tags.
 *
 * @throws FedsvdError STATE_NOT_FOUND, RUN_STATE for a run without a published round, FORBIDDEN for a name of somebody
 *   else
 */
export async function registerModel(
  runId: string,
  { name, round, tags = [] }: RegisterModelRequest,
  { store, by, now }: RegistryParts,
): Promise<RegisteredModelView> {
  const { number } = await stateOfRun(store, runId, round ?? 'newest')
  if (number === 0) {
    throw new FedsvdError('RUN_STATE', {
      expected: 'a run with a published round',
      got: 'one that has its initial state only',
      remedy: 'Wait for its first round.',
    })
  }
  await requireOwnName(name, { store, by, now })
  const [createdAt, createdBy] = [now(), actorOf(by)]
  const detail = { name, round: number, tags: [...tags] }
  const audit = { at: createdAt, actor: createdBy, action: 'model.register', object: `run:${runId}`, detail }
  const model = { name, runId, number, tags: [...new Set(tags)], createdAt, createdBy }
  return await viewOf(await store.registeredModels.register(model, audit), store)
}

/** Takes a version out of the registry; its state is kept as the rule of its run says. @throws FedsvdError */
export async function removeModel(
  which: { readonly runId: string; readonly name: string; readonly version: number },
  { store, by, now }: RegistryParts,
): Promise<RegisteredModelView> {
  const { runId, name, version } = which
  const known = (await store.registeredModels.list()).find(
    (model) => model.runId === runId && model.name === name && model.version === version,
  )
  const audit = {
    at: now(),
    actor: actorOf(by),
    action: 'model.remove',
    object: `run:${runId}`,
    detail: { name, version },
  }
  if (known !== undefined && (await store.registeredModels.remove({ name, version }, audit.at, audit)))
    return await viewOf(known, store)
  throw new FedsvdError('STATE_NOT_FOUND', {
    expected: 'a version of a model that the registry has of this run',
    got: `${name}, version ${version}`,
    remedy: 'GET /v1/registered-models lists them.',
  })
}

/** The models whose runs the caller may see. */
export async function listModels({ store, by }: Omit<RegistryParts, 'now'>): Promise<RegisteredModelView[]> {
  const runs = new Map((await store.runs.list()).map((run) => [run.manifest.runId, run]))
  const models = (await store.registeredModels.list()).filter(({ runId }) => ownsRun(by, runs.get(runId)!))
  return await Promise.all(models.map((model) => viewOf(model, store)))
}

/** A name belongs to whoever has the run of its first version: nobody puts their model in the place of another's. */
async function requireOwnName(name: string, { store, by }: RegistryParts): Promise<void> {
  const first = await store.registeredModels.firstOf(name)
  const run = first && (await store.runs.find(first.runId))
  if (run === undefined || ownsRun(by, run)) return
  throw new FedsvdError('FORBIDDEN', {
    expected: 'a name that no other operator has given',
    got: name,
    remedy: 'Choose another name, or ask an admin.',
  })
}

async function viewOf(
  { number, createdAt, ...model }: RegisteredModel,
  { runs, rounds }: Pick<Store, 'runs' | 'rounds'>,
): Promise<RegisteredModelView> {
  const { manifest } = (await runs.find(model.runId))!
  const round = number - 1
  const [published] = await rounds.published(model.runId, round)
  const accuracy = published?.round === round ? published.evaluation?.accuracy : undefined
  return {
    ...model,
    tags: [...model.tags],
    runName: manifest.name,
    round,
    ...(accuracy !== undefined && { accuracy }),
    model: manifest.model.name,
    createdAt: new Date(createdAt).toISOString(),
  }
}
