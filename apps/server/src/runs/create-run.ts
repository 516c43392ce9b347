import { randomUUID } from 'node:crypto'
import { initialState } from '@fedsvd/core/adapters'
import { FedsvdError } from '@fedsvd/core/errors'
import { type RunManifest, type RunRequest, runManifestSchema } from '@fedsvd/core/protocol'
import type { BlobStore } from '../blobs/index.ts'
import { actorOf, type Caller } from '../identity/index.ts'
import type { ModelRegistry } from '../models/index.ts'
import { encodeState, schemaHashOf } from '../rounds/index.ts'
import type { RunRecord, Store } from '../store/index.ts'

const LONGEST_DEADLINE_SECONDS = 30 * 24 * 3600

export interface CreateRunParts {
  readonly models: ModelRegistry
  readonly store: Store
  readonly blobs: BlobStore
  readonly now: () => number
  /** Who opens it, and owns it from then on. */
  readonly by: Caller
}

/**
 * Opens a run: everything is checked before anything is created, then the initial state is stored, then the run.
 *
 * @throws FedsvdError CONFIG_INVALID or ADAPTER_INVALID
 */
export async function createRun(
  request: RunRequest,
  { models, store, blobs, now, by }: CreateRunParts,
): Promise<RunRecord> {
  const model = models(request.model.name)
  checkRequest(request, model.maxTokens)
  const adapter = await model.adapterSchema({ adapter: request.adapter, classes: request.labels.length })
  const manifest: RunManifest = runManifestSchema.parse({ ...request, runId: randomUUID(), adapter })
  const state = initialState(adapter, { seed: manifest.seed })
  const blob = await blobs.put(encodeState(manifest, schemaHashOf(adapter), state))
  const createdAt = now()
  const { runId, name, method, rounds, target } = manifest
  const run: RunRecord = {
    manifest,
    state: 'waiting',
    createdAt,
    ...(by.operator !== undefined && { ownerId: by.operator.id }),
  }
  const audit = {
    at: createdAt,
    actor: actorOf(by),
    action: 'run.create',
    object: `run:${runId}`,
    detail: { name, method, rounds, epsilon: target.epsilon, delta: target.delta },
  }
  await store.runs.create(run, { runId, number: 0, basis: state.basis, ...blob, publishedAt: createdAt }, audit)
  return run
}

function checkRequest(
  { labels, quorum, clientsPerRound, deadlineSeconds, model }: RunRequest,
  maxTokens: number,
): void {
  if (new Set(labels).size < labels.length) {
    throw invalid('labels that are all different', labels.join(', ').slice(0, 200), 'Name each class once.')
  }
  if (quorum > clientsPerRound) {
    throw invalid(
      `a quorum of at most clientsPerRound, ${clientsPerRound}`,
      String(quorum),
      'Lower the quorum or ask more clients.',
    )
  }
  if (deadlineSeconds > LONGEST_DEADLINE_SECONDS) {
    throw invalid(
      `deadlineSeconds of at most ${LONGEST_DEADLINE_SECONDS}`,
      String(deadlineSeconds),
      'Choose a shorter deadline.',
    )
  }
  if (model.maxTokens > maxTokens) {
    throw invalid(
      `model.maxTokens of at most ${maxTokens} for ${model.name}`,
      String(model.maxTokens),
      'Longer texts are truncated.',
    )
  }
}

function invalid(expected: string, got: string, remedy: string): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', { expected, got, remedy })
}
