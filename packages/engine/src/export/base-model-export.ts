import { join } from 'node:path'
import { type AdapterState, tensorsOfState } from '@fedsvd/core/lora'
import { deployedGraph } from '@fedsvd/core/models'
import type { NamedTensor } from '@fedsvd/core/tensor'
import { makeFolder } from '../files/index.ts'
import type { BaseModel, ModelRequest, PortableModel } from '../training/index.ts'
import { withoutFeatureScale } from '../weights/peft/index.ts'
import { writeSafetensors } from '../weights/safetensors/index.ts'
import { writeConfig } from './config-json.ts'
import { factorsByWeight, mergedWeight } from './merged-weight.ts'
import { requireOneFile, writeOnnx } from './onnx-model.ts'
import { writeTokenizer } from './tokenizer-export.ts'
import type { TrainedState } from './trained-state.ts'

/**
 * The `model_type` of a base model's ONNX file. Libraries choose by it what they feed, and refuse what they do not
 * know: this one is fed ids and a mask. The graph is all in the file, and nothing of a DistilBERT.
 */
const FED_LIKE = 'distilbert'

/** The `model_type` of a base model's own weights: no library but this one can compute with them. */
export const OWN_TYPE = 'fedsvd'

/** A base model that can leave whole. */
export type WholeModel = BaseModel & { readonly portable: PortableModel }

/**
 * Writes `onnx/model.onnx` of a base model as `exportOnnx` does of a checkpoint.
 *
 * @returns the files written
 * @throws FedsvdError CONFIG_INVALID for a model above 2 GiB
 */
export async function exportBaseOnnx(folder: string, model: WholeModel, trained: TrainedState): Promise<string[]> {
  const { portable } = model
  const classifier = await portable.classifier(requestOf(model, trained), await portable.checkpoint())
  const state = new Map(tensorsOfState(trained.state).map((tensor) => [tensor.name, tensor]))
  const graph = deployedGraph(classifier, state)
  requireOneFile(graph)
  const files = await startFolder(folder, model, FED_LIKE, trained)
  return [await writeOnnx(folder, graph), ...files]
}

/**
 * Writes `model.safetensors` of a base model with the adapters merged into its weights and the trained head, and
 * config.json and the tokenizer beside it.
 *
 * @returns the files written
 */
export async function exportBaseMerged(folder: string, model: WholeModel, trained: TrainedState): Promise<string[]> {
  const files = await startFolder(folder, model, OWN_TYPE, trained)
  const tensors = await mergedTensors(model.portable, trained)
  const byName = new Map(tensors.map(({ name, data }) => [name, data]))
  const path = join(folder, 'model.safetensors')
  await writeSafetensors(path, tensors, async ({ name }) => byName.get(name)!, trained.metadata)
  return [path, ...files]
}

async function mergedTensors(
  portable: PortableModel,
  { task, schema, state, featureScale }: TrainedState,
): Promise<readonly NamedTensor[]> {
  const factors = factorsByWeight(schema, state)
  const base = [...(await portable.checkpoint()).values()].map((tensor) => {
    const lora = factors.get(tensor.name)
    return lora ? { ...tensor, data: mergedWeight(tensor.data, lora, portable.storesInputsFirst) } : tensor
  })
  const { head }: AdapterState = withoutFeatureScale(state, { task, featureScale })
  return [...base, ...head]
}

async function startFolder(
  folder: string,
  model: WholeModel,
  modelType: string,
  trained: TrainedState,
): Promise<string[]> {
  makeFolder(folder)
  const config = { model_type: modelType, fedsvd: { baseModel: model.name } }
  const path = await writeConfig(folder, config, trained)
  return [path, ...(await writeTokenizer(folder, await model.portable.tokenizer(), trained))]
}

function requestOf(
  { name, maxTokens }: BaseModel,
  { task, labels, schema, featureScale, maxTokens: most = maxTokens }: TrainedState,
): ModelRequest {
  return { task, labels, adapter: schema, model: { name, maxTokens: most, featureScale } }
}
