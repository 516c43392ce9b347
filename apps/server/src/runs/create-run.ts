import { randomUUID } from 'node:crypto'
import { FedsvdError, roundNumber } from '@fedsvd/core/errors'
import { predictsTokens } from '@fedsvd/core/lora'
import {
  acceptsStaleUpdates,
  bufferOf,
  type KeepStates,
  NEW_RUN_MAX_NOISE_RATIO,
  type RunManifest,
  type RunRequest,
  resolveManifest,
  runManifestSchema,
} from '@fedsvd/core/protocol'
import { actorOf, type Caller } from '../identity/index.ts'
import type { ModelRegistry } from '../models/index.ts'
import { clientLevelOf, type EpsilonBounds, siteEvaluationOf } from '../privacy/index.ts'
import { encodeState, schemaHashOf } from '../rounds/index.ts'
import { type BlobStore, stage } from '../storage/objects/index.ts'
import type { RunRecord, Store } from '../storage/records/index.ts'
import { checkPlan } from './plan.ts'
import { startFromOf, startingState } from './starting-state.ts'

export interface CreateRunParts {
  readonly models: ModelRegistry
  readonly store: Store
  readonly blobs: BlobStore
  readonly bounds: EpsilonBounds
  readonly now: () => number
  /** Which states stay where the request says nothing. */
  readonly keepStates: KeepStates
  /** Who opens it, and owns it from then on. */
  readonly by: Caller
}

/** What a request becomes, checked in every respect. */
interface PlannedRun {
  readonly manifest: RunManifest
  readonly model: Awaited<ReturnType<ModelRegistry['open']>>
}

/**
 * Everything that is checked before a run is opened; nothing is stored.
 *
 * @throws FedsvdError as `startFromOf`, and CONFIG_INVALID, CHECKPOINT_INVALID, HUB_UNAVAILABLE or ADAPTER_INVALID, and
 * for client-level
 *   terms DELTA_TOO_LARGE or BUDGET_TOO_SMALL
 */
export async function planRun(
  request: RunRequest,
  { models, bounds, store, by }: Pick<CreateRunParts, 'models' | 'bounds' | 'store' | 'by'>,
): Promise<PlannedRun> {
  const model = await models.open(request.model)
  checkRequest(request, model.maxTokens)
  const adapter = await model.adapterSchema({
    task: request.task,
    adapter: request.adapter,
    classes: request.labels.length,
  })
  await model.prove?.(request.task)
  const clientLevel = request.clientLevel && (await clientLevelOf(request.clientLevel, request, bounds))
  const siteEvaluation = request.siteEvaluation && (await siteEvaluationOf(request.siteEvaluation, request, bounds))
  const { name: modelName, checkpoint } = model
  const { startFrom: _, keep: __, ...own } = request
  const given = {
    maxNoiseRatio: NEW_RUN_MAX_NOISE_RATIO,
    ...own,
    runId: randomUUID(),
    model: { ...request.model, name: modelName, ...(checkpoint && { checkpoint }) },
    adapter,
    ...(clientLevel && { clientLevel }),
    ...(siteEvaluation && { siteEvaluation }),
  }
  const manifest = runManifestSchema.parse(given)
  const startFrom = await startFromOf(request, manifest, { store, by })
  return { manifest: { ...manifest, ...(startFrom && { startFrom }) }, model }
}

/**
 * Opens a run: everything is checked before anything is created, then the initial state is stored, then the run.
 *
 * @throws FedsvdError as `planRun` does
 */
export async function createRun(
  request: RunRequest,
  { models, store, blobs, bounds, now, by, keepStates }: CreateRunParts,
): Promise<RunRecord> {
  const { manifest, model } = await planRun(request, { models, bounds, store, by })
  const { adapter } = manifest
  const state = await startingState(manifest, { model, store, blobs })
  await using blob = await stage(blobs, encodeState(manifest, schemaHashOf(adapter), state))
  await blob.keep()
  const { sha256, bytes } = blob
  const createdAt = now()
  const { runId, name, method, rounds, target } = manifest
  const run: RunRecord = {
    manifest,
    state: 'waiting',
    createdAt,
    keep: request.keep ?? keepStates,
    ...(by.operator !== undefined && { ownerId: by.operator.id }),
  }
  const audit = {
    at: createdAt,
    actor: actorOf(by),
    action: 'run.create',
    object: `run:${runId}`,
    detail: { name, method, rounds, epsilon: target.epsilon, delta: target.delta, ...startOf(manifest) },
  }
  await store.runs.create(run, { runId, number: 0, basis: state.basis, sha256, bytes, publishedAt: createdAt }, audit)
  return run
}

/** For the audit log. */
function startOf({ startFrom }: RunManifest): { readonly startFrom?: string } {
  return startFrom === undefined ? {} : { startFrom: `run:${startFrom.runId} round ${roundNumber(startFrom.round)}` }
}

function checkRequest(request: RunRequest, maxTokens: number): void {
  const { labels, model, clientLevel, adaptiveClipping, siteEvaluation } = request
  const { task, aggregation } = resolveManifest(request)
  if (predictsTokens(task)) {
    if (labels.length > 0) throw invalid(`no labels for ${task}`, `${labels.length}`, 'Leave the list of labels empty.')
  } else if (labels.length < 2) {
    throw invalid('two or more labels', `${labels.length}`, 'Name every class of the task, or another task.')
  }
  if (new Set(labels).size < labels.length) {
    throw invalid('labels that are all different', labels.join(', ').slice(0, 200), 'Name each class once.')
  }
  const { mode } = request
  checkPlan(request, { aggregation, mode })
  checkMode(request)
  if (clientLevel !== undefined && aggregation.name !== 'mean') {
    throw invalid(
      'the mean as aggregation beside clientLevel',
      aggregation.name,
      "One client's influence on it has no bound that the coordinator's noise could cover.",
    )
  }
  if (clientLevel !== undefined && adaptiveClipping !== undefined) {
    throw invalid(
      'adaptiveClipping of the clients, or clientLevel',
      'both',
      'The clip norm that clients share would publish their votes outside the client-level mean; use clientLevel.adaptiveClipping.',
    )
  }
  if (clientLevel !== undefined && siteEvaluation !== undefined) {
    throw invalid(
      'siteEvaluation, or clientLevel',
      'both',
      'The counts of each site are noised for its records, and would tell more of a whole client than clientLevel allows.',
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

/** What cannot be had together with updates that come in their own time. */
function checkMode(request: RunRequest): void {
  const { lateUpdates, maxStaleness, overSelection, clientLevel } = request
  const { aggregation } = resolveManifest(request)
  const isBuffered = bufferOf(request) !== undefined
  if (isBuffered && (lateUpdates !== undefined || overSelection !== undefined)) {
    throw invalid(
      'neither lateUpdates nor overSelection beside mode buffered',
      'one of them',
      'Leave it out: a buffer counts every update, and asks every client that is free.',
    )
  }
  if (isBuffered && aggregation.name !== 'mean') {
    throw invalid(
      'the mean as aggregation beside mode buffered',
      aggregation.name,
      'Other rules compare updates, and those of a buffer carry different weights.',
    )
  }
  if (isBuffered && request.siteEvaluation !== undefined) {
    throw invalid(
      'no siteEvaluation beside mode buffered',
      'both',
      'Updates of a buffer start from different states, so that few sites would measure the same one.',
    )
  }
  const acceptsStale = acceptsStaleUpdates(request)
  if (acceptsStale && clientLevel !== undefined) {
    throw invalid(
      'no clientLevel beside late updates',
      'both',
      'The noised mean has a fixed number of places for one round; count late updates without it.',
    )
  }
  if (!acceptsStale && maxStaleness !== undefined) {
    throw invalid('maxStaleness beside late updates only', 'one without', 'Set lateUpdates to rebase, or leave it out.')
  }
}

function invalid(expected: string, got: string, remedy: string): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', { expected, got, remedy })
}
