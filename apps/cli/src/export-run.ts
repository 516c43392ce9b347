import { createHash } from 'node:crypto'
import type { PrivacyUnit } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import { type AdapterState, canonicalSchema, stateSpecs } from '@fedsvd/core/lora'
import { decodeState, frameBytes, type RunSnapshot, readFrameBasis } from '@fedsvd/core/protocol'
import type { ModelSettings } from '@fedsvd/engine/models'
import { DEFAULT_MODELS } from './model-options.ts'
import { fetchAdapterFrame, fetchRun, type OperatorAccess } from './operator-client.ts'

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()

/** What the metadata of an exported adapter says about each client's privacy. */
export interface PrivacyStatement {
  readonly name: string
  readonly epsilonUpperBound: number
  readonly delta: number
  readonly unit: PrivacyUnit
  readonly relation: 'add-or-remove-one'
  readonly adversary: string
}

export const EXPORT_FORMATS = ['peft', 'merged', 'onnx'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

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
  const metadata = { runId, rounds: String(run.roundsDone), privacy: JSON.stringify(statementsOf(run)) }
  const { featureScale } = model
  if (format === 'peft') {
    const { writeAdapter } = await import('@fedsvd/engine/weights/peft')
    return await writeAdapter(folder, state, { task, schema, baseModel: model.name, labels, featureScale, metadata })
  }
  if (model.checkpoint === undefined) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `--format peft for a run on ${model.name}, which is code of fedsvd or of an extension and has no checkpoint to write`,
      got: `--format ${format}`,
      remedy: 'Leave --format out for the adapter alone, and use it with that code',
    })
  }
  const { modelStore } = await import('@fedsvd/engine/models')
  const { exportMerged, exportOnnx } = await import('@fedsvd/engine/export')
  const checkpoint = await modelStore(models).open(model)
  const write = format === 'merged' ? exportMerged : exportOnnx
  return await write(folder, checkpoint, { task, schema, state, labels, featureScale, metadata })
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
export function statementsOf({ clients }: Pick<RunSnapshot, 'clients'>): PrivacyStatement[] {
  return clients.flatMap(({ name, clientLevel, ...record }) =>
    [record, ...(clientLevel ? [clientLevel] : [])].map(({ epsilonUpperBound, delta, unit, adversary }) => {
      return { name, epsilonUpperBound, delta, unit, relation: 'add-or-remove-one', adversary }
    }),
  )
}
