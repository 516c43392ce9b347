import { basename, join, resolve } from 'node:path'
import { ONNX_FILE } from '../export/index.ts'
import { isThere, type JsonObject } from '../files/index.ts'
import type { RuntimeSettings } from '../settings/index.ts'
import { loadHuggingFaceTokenizer } from '../tokenizers/index.ts'
import { hasTensors } from '../weights/huggingface/index.ts'
import { labelsOfConfig, maxTokensIn, readFacts, TEXT_LENGTH, taskOfConfig } from './folder-facts.ts'
import { APART, type ModelInUse } from './model-in-use.ts'
import { onnxScorer } from './onnx-scorer.ts'
import { ownModelOf } from './own-model.ts'
import { placesFor } from './places.ts'

/** The ONNX file of a folder, where the folder has no weights of another kind. */
export async function onnxFileIn(folder: string): Promise<string | undefined> {
  for (const name of [ONNX_FILE, 'model.onnx']) {
    const path = join(folder, name)
    if (await isThere(path)) return (await hasTensors(folder)) ? undefined : path
  }
  return undefined
}

/**
 * Opens an ONNX file with config.json and the tokenizer of its folder. Texts for a model that is code are read by its
 * own tokenizer, where this process knows it.
 *
 * @throws FedsvdError CHECKPOINT_INVALID, RUNTIME_UNAVAILABLE
 */
export async function openOnnxFolder(folder: string, path: string, runtime: RuntimeSettings): Promise<ModelInUse> {
  const config = await readFacts(folder, 'config.json')
  const own = ownModelOf(config)
  const task = own === undefined ? taskOfConfig(config, folder) : 'sequence-classification'
  const labels = labelsOfConfig(config, task, folder)
  const tokenizer = own === undefined ? await loadHuggingFaceTokenizer(folder, APART) : await own.loadTokenizer()
  const longest = own?.maxTokens ?? longestIn(config)
  const maxTokens = await maxTokensIn(folder, longest)
  const scorer = await onnxScorer(path, task === 'sequence-classification' ? 'texts' : 'tokens', runtime)
  return {
    name: own?.name ?? basename(resolve(folder)),
    task,
    labels,
    maxTokens,
    places: placesFor(task, maxTokens, longest),
    tokenizer,
    scorer,
    [Symbol.asyncDispose]: () => scorer[Symbol.asyncDispose](),
  }
}

/** How many tokens a model takes, by the names that architectures have for it. */
function longestIn({ max_position_embeddings: places, n_positions: positions }: JsonObject): number {
  const said = places ?? positions
  return typeof said === 'number' && Number.isSafeInteger(said) && said > 0 ? said : TEXT_LENGTH
}
