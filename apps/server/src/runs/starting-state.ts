import { FedsvdError, roundNumber } from '@fedsvd/core/errors'
import { type AdapterState, initialState } from '@fedsvd/core/lora'
import { type RunManifest, type RunRequest, resolveManifest } from '@fedsvd/core/protocol'
import { type Caller, ownsRun } from '../identity/index.ts'
import type { Model } from '../models/index.ts'
import { decodeState, schemaHashOf } from '../rounds/index.ts'
import type { BlobStore } from '../storage/objects/index.ts'
import type { Store } from '../storage/records/index.ts'
import { stateOfRun } from './state-of-run.ts'

export interface StartingStateParts {
  readonly store: Pick<Store, 'runs' | 'adapters' | 'rounds'>
  /** Who asks: a run of somebody else is as good as none. */
  readonly by: Caller
}

/**
 * What a manifest says of the earlier run that its own goes on from; undefined where it begins afresh.
 *
 * @throws FedsvdError RUN_NOT_FOUND, STATE_NOT_FOUND, or CONFIG_INVALID where the two runs do not train the same
 * numbers
 */
export async function startFromOf(
  { startFrom, initialiser }: Pick<RunRequest, 'startFrom' | 'initialiser'>,
  manifest: RunManifest,
  { store, by }: StartingStateParts,
): Promise<RunManifest['startFrom']> {
  if (startFrom === undefined) return undefined
  const { runId, round = 'newest' } = startFrom
  if (initialiser !== undefined) {
    throw invalid('startFrom, or an initialiser', 'both', 'Leave the initialiser out: the state is there already.')
  }
  const run = await store.runs.find(runId)
  if (run === undefined || !ownsRun(by, run)) {
    throw new FedsvdError('RUN_NOT_FOUND', {
      expected: 'startFrom.runId to be a run of this coordinator',
      got: runId,
      remedy: 'GET /v1/runs lists them.',
    })
  }
  requireSameNumbers(manifest, run.manifest)
  const state = await stateOfRun(store, runId, round)
  if (state.number === 0) {
    const remedy = 'Wait for its first round, or leave startFrom out.'
    throw invalid('startFrom.runId to be a run with a published round', 'one without', remedy)
  }
  const { sha256 } = state
  if (startFrom.sha256 !== undefined && startFrom.sha256 !== sha256) {
    throw invalid(`the state that startFrom names, ${sha256}`, startFrom.sha256, 'Leave startFrom.sha256 out.')
  }
  return { runId, round: state.number - 1, sha256 }
}

/** Numbers of one run mean the same in another only where these agree. */
function requireSameNumbers(own: RunManifest, earlier: RunManifest): void {
  const differing = Object.entries(meaningOf(own)).find(([what, value]) => value !== meaningOf(earlier)[what])
  if (differing === undefined) return
  const [what, value] = differing
  const of = meaningOf(earlier)[what] ?? 'none'
  throw invalid(
    `${what} ${shortened(of)}, as the run that startFrom names has it`,
    shortened(value ?? 'none'),
    `Give it the same ${what}, or leave startFrom out.`,
  )
}

function meaningOf(manifest: RunManifest): Readonly<Record<string, string | undefined>> {
  const { task, labels, model, adapter } = resolveManifest(manifest)
  return {
    'model.name': model.name,
    'model.checkpoint': model.checkpoint && JSON.stringify(model.checkpoint),
    'model.featureScale': String(model.featureScale),
    task,
    labels: labels.join(', '),
    'adapter.rank': String(adapter.rank),
    'adapter.alpha': String(adapter.alpha),
    'adapter.headMode': adapter.headMode,
    'adapter.targets': schemaHashOf(adapter),
  }
}

/**
 * The state that a run begins with: that of an earlier run, or a public one by initialiser and seed.
 *
 * @throws FedsvdError BLOB_NOT_FOUND where the bytes of the earlier state are gone
 */
export async function startingState(
  manifest: RunManifest,
  {
    model,
    store,
    blobs,
  }: { readonly model: Model; readonly store: Pick<Store, 'adapters'>; readonly blobs: BlobStore },
): Promise<AdapterState> {
  const { startFrom, labels, adapter, seed, initialiser } = manifest
  if (startFrom === undefined) {
    const { featureScale } = manifest.model
    return initialState(adapter, {
      seed,
      initialiser,
      head: await model.trainedHead?.({ schema: adapter, labels, featureScale }),
    })
  }
  const { runId, round, sha256 } = startFrom
  const record = await store.adapters.find(runId, round + 1)
  if (record?.sha256 !== sha256)
    throw new TypeError(`the state after round ${roundNumber(round)} of ${runId} is another one by now`)
  const state = decodeState({ runId, adapter }, schemaHashOf(adapter), record.basis, await blobs.read(sha256))
  return { ...state, basis: 0 }
}

function shortened(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}...` : text
}

function invalid(expected: string, got: string, remedy: string): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', { expected, got, remedy })
}
