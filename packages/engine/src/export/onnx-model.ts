import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Graph, toOnnx } from '@fedsvd/core/autodiff'
import { FedsvdError } from '@fedsvd/core/errors'
import { deployedCheckpoint } from '../training/index.ts'
import type { CheckpointFolder } from '../weights/huggingface/index.ts'
import { startExport } from './export-folder.ts'
import { portable } from './portable.ts'
import type { TrainedState } from './trained-state.ts'

/** One protocol buffer holds no more. */
const MOST_BYTES = 2 ** 31 - 1

/** Where Optimum and transformers.js look for it. */
export const ONNX_FILE = join('onnx', 'model.onnx')

/**
 * Writes `onnx/model.onnx` with weights, factors and head inside, and beside it config.json, with the labels, and the
 * tokenizer's files: the layout of transformers.js. Inputs are `input_ids`, `attention_mask` and, for models that read
 * it, `token_type_ids`, [N, T] int64 with the padding behind each text; the output is `logits` float32, [N, classes] of
 * texts, or [N, T, outputs] of tokens.
 *
 * @returns the files written
 * @throws FedsvdError CHECKPOINT_INVALID, or CONFIG_INVALID for a model above 2 GiB
 */
export async function exportOnnx(
  folder: string,
  checkpoint: CheckpointFolder,
  trained: TrainedState,
): Promise<string[]> {
  const { task, schema, state, labels, featureScale, maxTokens } = trained
  const options = { task, schema, classes: labels.length, featureScale, maxTokens }
  const graph = await deployedCheckpoint(checkpoint, state, options)
  requireOneFile(graph)
  const files = await startExport(folder, checkpoint, trained)
  return [await writeOnnx(folder, graph), ...files]
}

/** @throws FedsvdError CONFIG_INVALID for a graph that one file cannot hold */
export function requireOneFile({ constants }: Graph): void {
  const bytes = constants.reduce((sum, { data }) => sum + data.byteLength, 0)
  if (bytes <= MOST_BYTES) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'a model of at most 2 GiB for one ONNX file',
    got: `${bytes} bytes`,
    remedy: 'Export it as merged or peft.',
  })
}

/** Writes a graph as {@link ONNX_FILE}. @returns its path */
export async function writeOnnx(folder: string, graph: Graph): Promise<string> {
  const path = join(folder, ONNX_FILE)
  await mkdir(join(folder, 'onnx'), { recursive: true })
  await writeFile(path, toOnnx(portable(graph), 'fedsvd model'))
  return path
}
