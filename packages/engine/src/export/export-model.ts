import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import type { CheckpointIdentity } from '@fedsvd/core/protocol'
import type { ExportFormat } from '../settings/index.ts'
import type { BaseModel } from '../training/index.ts'
import type { CheckpointFolder } from '../weights/huggingface/index.ts'
import { writeAdapter } from '../weights/peft/index.ts'
import { exportBaseMerged, exportBaseOnnx, type WholeModel } from './base-model-export.ts'
import { exportMerged } from './merged-checkpoint.ts'
import { modelCard } from './model-card.ts'
import { exportOnnx } from './onnx-model.ts'
import type { RunFacts } from './run-facts.ts'
import { copyTokenizer, writeTokenizer } from './tokenizer-export.ts'
import type { TrainedState } from './trained-state.ts'

/** The base model of a run: code, or a checkpoint; either may be absent here, and then the adapter alone can leave. */
export type ExportBase =
  | { readonly kind: 'code'; readonly model?: BaseModel | undefined }
  | {
      readonly kind: 'checkpoint'
      readonly identity: CheckpointIdentity
      readonly checkpoint?: CheckpointFolder | undefined
    }

export interface ModelExport {
  readonly format: ExportFormat
  readonly folder: string
  readonly base: ExportBase
  readonly trained: TrainedState
  readonly facts: RunFacts
}

/**
 * Writes a trained state as files that others can load, with a model card (README.md).
 *
 * @returns the files written
 * @throws FedsvdError CONFIG_INVALID for a format that the model does not have, CHECKPOINT_INVALID where its checkpoint
 *   cannot be read
 */
export async function exportModel(request: ModelExport): Promise<string[]> {
  const { format, folder, base, trained, facts } = request
  const files = await (format === 'peft' ? exportPeft(request) : exportWhole(format, request))
  const usage = {
    format,
    task: trained.task,
    labels: trained.labels,
    model: facts.model,
    isCode: base.kind === 'code',
    hasTokenizer: files.some((path) => path.endsWith('tokenizer.json')),
  }
  const card = join(folder, 'README.md')
  await writeFile(card, modelCard({ facts, usage, trained }))
  return [...files, card]
}

async function exportPeft({ folder, base, trained, facts }: ModelExport): Promise<string[]> {
  const { state, task, schema, labels, featureScale, maxTokens, metadata } = trained
  const identity = base.kind === 'checkpoint' ? base.identity : undefined
  const files = await writeAdapter(folder, state, {
    task,
    schema,
    baseModel: facts.model,
    labels,
    featureScale,
    metadata: {
      ...metadata,
      ...(maxTokens !== undefined && { maxTokens: String(maxTokens) }),
      ...(identity && { checkpoint: JSON.stringify(identity) }),
    },
  })
  if (base.kind === 'checkpoint') {
    return base.checkpoint ? [...files, ...(await copyTokenizer(folder, base.checkpoint.folder, trained))] : files
  }
  const portable = base.model?.portable
  return portable ? [...files, ...(await writeTokenizer(folder, await portable.tokenizer(), trained))] : files
}

async function exportWhole(
  format: Exclude<ExportFormat, 'peft'>,
  { folder, base, trained, facts }: ModelExport,
): Promise<string[]> {
  if (base.kind === 'code') {
    if (!isWhole(base.model)) throw adapterOnly(facts.model, format)
    const write = format === 'merged' ? exportBaseMerged : exportBaseOnnx
    return await write(folder, base.model, trained)
  }
  if (base.checkpoint === undefined) throw notHere(facts.model, format)
  return await (format === 'merged' ? exportMerged : exportOnnx)(folder, base.checkpoint, trained)
}

function isWhole(model: BaseModel | undefined): model is WholeModel {
  return model?.portable !== undefined
}

function adapterOnly(model: string, format: ExportFormat): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', {
    expected: `--format peft for a run on ${model}, which is code of an extension and has no checkpoint to write`,
    got: `--format ${format}`,
    remedy: 'Leave --format out for the adapter alone, and use it with that code',
  })
}

function notHere(model: string, format: ExportFormat): FedsvdError {
  return new FedsvdError('CHECKPOINT_INVALID', {
    expected: `the checkpoint ${model} on this machine, for --format ${format}`,
    got: 'no such checkpoint here',
    remedy: 'Put its folder below that of --models.',
  })
}
