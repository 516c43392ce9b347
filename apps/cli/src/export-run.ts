import { createHash } from 'node:crypto'
import { FedsvdError, roundNumber } from '@fedsvd/core/errors'
import { type AdapterState, canonicalSchema, stateSpecs } from '@fedsvd/core/lora'
import { decodeState, type Evaluation, frameBytes, type RunSnapshot, readFrameBasis } from '@fedsvd/core/protocol'
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
  /** After which round; absent: the newest. */
  readonly round?: WhichRound | undefined
}

/** A round as people count them, from 1, or the one of the highest accuracy on the hold-out. */
export type WhichRound = number | 'best'

/**
 * The round that is meant, counted from 0.
 *
 * @throws FedsvdError RUN_STATE when no round has been published yet, STATE_NOT_FOUND for one that is not published,
 * and
 *   for the best of a run that was measured on no hold-out
 */
export function roundIn({ state, roundsDone, best }: RunSnapshot, which?: WhichRound): number {
  if (roundsDone === 0) {
    throw new FedsvdError('RUN_STATE', {
      expected: 'a published round',
      got: `a run in state ${state} without a published round`,
      remedy: 'Wait for the first round to close',
    })
  }
  if (which === undefined) return roundsDone - 1
  if (which === 'best') {
    if (best !== undefined) return best.round
    throw new FedsvdError('STATE_NOT_FOUND', {
      expected: 'a run whose rounds were measured on a hold-out',
      got: 'one without',
      remedy: 'Name a round by its number',
    })
  }
  if (which <= roundsDone) return which - 1
  throw new FedsvdError('STATE_NOT_FOUND', {
    expected: `a round from 1 to ${roundsDone}`,
    got: String(which),
    remedy: 'Name one that is published',
  })
}

/**
 * Fetches a state of a run, the newest unless another is asked for, and writes it in the form that is asked for.
 *
 * @returns the files written
 * @throws FedsvdError as `roundIn`, CHECKPOINT_INVALID where the run's checkpoint is
 *   not here, CONFIG_INVALID for a format that the model does not have
 */
export async function exportRun(access: OperatorAccess, runId: string, request: ExportRequest): Promise<string[]> {
  return await exportFetchedRun(access, await fetchRun(access, runId), request)
}

/** {@link exportRun} of a run that was fetched before. */
export async function exportFetchedRun(
  access: OperatorAccess,
  run: RunSnapshot,
  request: ExportRequest,
): Promise<string[]> {
  const { format, folder, models = { models: DEFAULT_MODELS } } = request
  const { runId } = run
  const { task, adapter: schema, model, labels } = run.manifest
  const round = roundIn(run, request.round)
  const state = await stateAfter(access, run, round)
  const privacy = statementsOf(run)
  const metadata = { runId, rounds: String(roundNumber(round)), ...originOf(run), privacy: JSON.stringify(privacy) }
  const { featureScale, maxTokens } = model
  const { exportModel } = await import('@fedsvd/engine/export')
  return await exportModel({
    format,
    folder,
    base: await baseOf(run, models, format),
    trained: { task, schema, state, labels, featureScale, maxTokens, metadata },
    facts: factsOf(run, round, privacy),
  })
}

/** An adapter is exported without its base model; the other formats need the checkpoint on this machine or a hub. */
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

/** For the metadata of files: the run that this one went on from. */
function originOf({ manifest: { startFrom } }: RunSnapshot): { readonly startedFrom?: string } {
  return startFrom === undefined ? {} : { startedFrom: `${startFrom.runId} round ${roundNumber(startFrom.round)}` }
}

function factsOf(run: RunSnapshot, round: number, privacy: readonly SitePrivacy[]): RunFacts {
  const { manifest, runId, name, notPrivate, baseline } = run
  const { startFrom } = manifest
  const { localSteps, expectedLotSize, clipNorm, learningRate, momentum, clientsPerRound, target } = manifest
  return {
    runId,
    name,
    rounds: roundNumber(round),
    ...(startFrom && { startFrom: { runId: startFrom.runId, rounds: roundNumber(startFrom.round) } }),
    method: manifest.method,
    model: manifest.model.name,
    training: { localSteps, expectedLotSize, clipNorm, learningRate, momentum, clientsPerRound, target },
    privacy,
    notPrivate,
    evaluation: evaluationOf(run, round),
    atSites: run.rounds.find((one) => one.round === round)?.siteEvaluation,
    majority: baseline?.majority,
  }
}

/** What a round measured on the hold-out of the coordinator, if it has one. */
export function evaluationOf({ rounds }: RunSnapshot, round: number): Evaluation | undefined {
  return rounds.find((one) => one.round === round)?.evaluation
}

/** A published state of a run. @throws FedsvdError as `roundIn` */
export async function stateAfter(access: OperatorAccess, run: RunSnapshot, round: number): Promise<AdapterState> {
  const { runId, manifest } = run
  const frame = await fetchAdapterFrame(access, runId, frameBytes(stateSpecs(manifest.adapter)), round)
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
