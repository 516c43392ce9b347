import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toOnnx } from '@fedsvd/core/autodiff'
import { FedsvdError } from '@fedsvd/core/errors'
import { type AdapterState, DEFAULT_TASK, tensorsOfState } from '@fedsvd/core/lora'
import { DECODER_TYPES, deployedGraph } from '@fedsvd/core/models'
import { encoderClassifier } from '../training/index.ts'
import type { CheckpointFolder } from '../weights/huggingface/index.ts'
import { startExport, type TrainedState } from './export-folder.ts'
import { portable } from './portable.ts'

/** One protocol buffer holds no more. */
const MOST_BYTES = 2 ** 31 - 1

/**
 * Writes `model.onnx`: token ids to logits, with weights, factors and head inside. Inputs are `tokenIds` [N, T] int32
 * with -1 after a record's last token, and for models of pairs `typeIds` [N, T] int32; the output is `logits` [N,
 * classes] float32. Beside it lie config.json, with the labels, and the tokenizer's files.
 *
 * @returns the files written
 * @throws FedsvdError CHECKPOINT_INVALID, or CONFIG_INVALID for a model above 2 GiB, another task or a decoder
 */
export async function exportOnnx(
  folder: string,
  checkpoint: CheckpointFolder,
  { task = DEFAULT_TASK, schema, state, labels, featureScale }: TrainedState,
): Promise<string[]> {
  if (task !== 'sequence-classification' || isDecoder(checkpoint)) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: 'a sequence classifier on an encoder for the format onnx',
      got: `${task} on a ${checkpoint.modelType}`,
      remedy: 'Export it as merged or peft.',
    })
  }
  const model = await encoderClassifier(checkpoint, { schema, classes: labels.length, featureScale })
  const graph = portable(deployedGraph(model, byName(state)))
  const bytes = graph.constants.reduce((sum, { data }) => sum + data.byteLength, 0)
  if (bytes > MOST_BYTES) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: 'a model of at most 2 GiB for one ONNX file',
      got: `${bytes} bytes`,
      remedy: 'Export it as merged or peft.',
    })
  }
  const files = await startExport(folder, checkpoint, { task, labels })
  const path = join(folder, 'model.onnx')
  await writeFile(path, toOnnx(graph, 'fedsvd classifier'))
  return [path, ...files]
}

function isDecoder({ modelType }: CheckpointFolder): boolean {
  return (DECODER_TYPES as readonly string[]).includes(modelType)
}

function byName(state: AdapterState) {
  return new Map(tensorsOfState(state).map((tensor) => [tensor.name, tensor]))
}
