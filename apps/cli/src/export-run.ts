import { createHash } from 'node:crypto'
import { FedsvdError } from '@fedsvd/core/errors'
import { type AdapterState, canonicalSchema, stateSpecs } from '@fedsvd/core/lora'
import { decodeState, frameBytes, type RunSnapshot, readFrameBasis } from '@fedsvd/core/protocol'
import type { ExportBase, RunFacts, SitePrivacy } from '@fedsvd/engine/export'
import type { ModelSettings } from '@fedsvd/engine/models'
import type { ExportFormat } from '@fedsvd/engine/settings'
import { DEFAULT_MODELS } from './model-options.ts'
import { fetchAdapterFrame, fetchRun, type OperatorAccess } from './operator-client.ts'

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()

export interface ExportRequest {
  readonly format: ExportFormat
  readonly folder: string
  /** Where the checkpoint is that `merged` and `onnx` need; default: the model folder's usual place. */
  readonly models?: ModelSettings
}

/**
 * Fetches the newest state of a run and writes it in the form that is asked for.
 *
 * @returns the files written
 * @throws FedsvdError RUN_STATE when no round has been published yet, CHECKPOINT_INVALID where the run's checkpoint is
 *   not here, CONFIG_INVALID for a format that the model does not have
 */
export async function exportRun(access: OperatorAccess, runId: string, request: ExportRequest): Promise<string[]> {
  const { format, folder, models = { models: DEFAULT_MODELS } } = request
  const run = await fetchRun(access, runId)
  const { task, adapter: schema, model, labels } = run.manifest
  const state = await newestState(access, run)
  const privacy = statementsOf(run)
  const metadata = { runId, rounds: String(run.roundsDone), privacy: JSON.stringify(privacy) }
  const { featureScale, maxTokens } = model
  const { exportModel } = await import('@fedsvd/engine/export')
  return await exportModel({
    format,
    folder,
    base: await baseOf(run, models, format),
    trained: { task, schema, state, labels, featureScale, maxTokens, metadata },
    facts: factsOf(run, privacy),
  })
}

/** An adapter leaves without its base model; whatever else is made needs it here, or on a hub. */
async function baseOf(
  { manifest: { model } }: RunSnapshot,
  models: ModelSettings,
  format: ExportFormat,
): Promise<ExportBase> {
  const { checkpoint: identity } = model
  if (identity === undefined) {
    const { baseModels } = await import('@fedsvd/engine/extensions')
    const { registerStarter } = await import('@fedsvd/starter/register')
    registerStarter()
    return { kind: 'code', model: baseModels.find(model.name) }
  }
  const { modelStore } = await import('@fedsvd/engine/models')
  if (format !== 'peft') return { kind: 'checkpoint', identity, checkpoint: await modelStore(models).open(model) }
  const { models: folder } = models
  const here = await modelStore({ models: folder })
    .open(model)
    .catch(() => undefined)
  return { kind: 'checkpoint', identity, checkpoint: here }
}

function factsOf(run: RunSnapshot, privacy: readonly SitePrivacy[]): RunFacts {
  const { manifest, runId, name, roundsDone, notPrivate, baseline } = run
  const { localSteps, expectedLotSize, clipNorm, learningRate, momentum, clientsPerRound, target } = manifest
  return {
    runId,
    name,
    rounds: roundsDone,
    method: manifest.method,
    model: manifest.model.name,
    training: { localSteps, expectedLotSize, clipNorm, learningRate, momentum, clientsPerRound, target },
    privacy,
    notPrivate,
    evaluation: run.rounds.at(-1)?.evaluation,
    majority: baseline?.majority,
  }
}

/** @throws FedsvdError RUN_STATE when no round has been published yet */
async function newestState(access: OperatorAccess, run: RunSnapshot): Promise<AdapterState> {
  if (run.adapter === undefined) {
    throw new FedsvdError('RUN_STATE', {
      expected: 'a published round',
      got: `a run in state ${run.state} without a published round`,
      remedy: 'Wait for the first round to close',
    })
  }
  const { runId, manifest } = run
  const frame = await fetchAdapterFrame(access, runId, frameBytes(stateSpecs(manifest.adapter)))
  const basis = readFrameBasis(frame)
  const schemaHash = createHash('sha256').update(canonicalSchema(manifest.adapter)).digest('hex')
  return decodeState({ runId, schemaHash, adapter: manifest.adapter, basis }, frame, sha256)
}

/** Every epsilon of a run with what it means: one entry for each client and unit. */
export function statementsOf({ clients }: Pick<RunSnapshot, 'clients'>): SitePrivacy[] {
  return clients.flatMap(({ name, clientLevel, ...record }) =>
    [record, ...(clientLevel ? [clientLevel] : [])].map(({ epsilonUpperBound, budget, delta, unit, adversary }) => {
      return { name, epsilonUpperBound, budget, delta, unit, relation: 'add-or-remove-one', adversary }
    }),
  )
}
