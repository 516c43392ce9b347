import { basename, resolve } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { type AdapterSchema, DEFAULT_TASK, initialState } from '@fedsvd/core/lora'
import type { Checkpoint } from '@fedsvd/core/models'
import type { NamedTensor } from '@fedsvd/core/tensor'
import { OWN_TYPE } from '../export/index.ts'
import type { JsonObject } from '../files/index.ts'
import { checkpointHead } from '../models/index.ts'
import type { RuntimeSettings } from '../settings/index.ts'
import { checkpointSchema, createCheckpointEngine, longestText } from '../training/index.ts'
import { openCheckpoint, readTensors } from '../weights/huggingface/index.ts'
import { labelsOfConfig, maxTokensIn, readFacts, taskOfConfig } from './folder-facts.ts'
import { APART, type ModelInUse } from './model-in-use.ts'
import { requirePortable } from './own-model.ts'
import { placesFor } from './places.ts'
import { engineScorer } from './scorer.ts'

/** Adapters of which nothing comes: B is zero, and one of rank 1 costs least. */
const NO_ADAPTERS = { rank: 1, alpha: 1, headMode: 'frozen' } as const

/**
 * Opens a checkpoint with a head for a task: one that `fedsvd export --format merged` wrote, or anybody's.
 *
 * @throws FedsvdError CHECKPOINT_INVALID, RUNTIME_UNAVAILABLE
 */
export async function openMergedFolder(folder: string, runtime: RuntimeSettings): Promise<ModelInUse> {
  const config = await readFacts(folder, 'config.json')
  if (config.model_type === OWN_TYPE) return await openOwn(folder, config, runtime)
  const task = taskOfConfig(config, folder)
  const labels = labelsOfConfig(config, task, folder)
  const checkpoint = await openCheckpoint(folder, APART)
  const schema = checkpointSchema(config, { ...NO_ADAPTERS, task, classes: labels.length })
  const head = await checkpointHead(checkpoint, { schema, labels })
  if (head === undefined && schema.head.length > 0) throw noHead(folder, schema)
  const maxTokens = await maxTokensIn(folder, longestText(config))
  const tokenizer = await checkpoint.tokenizer()
  const places = placesFor(task, maxTokens, longestText(config))
  const options = { ...runtime, task, schema, classes: labels.length, maxTokens: places }
  const engine = await createCheckpointEngine(checkpoint, options)
  const scorer = engineScorer(engine, initialState(schema, { seed: 'merged', ...(head && { head }) }))
  return {
    name: basename(resolve(folder)),
    task,
    labels,
    maxTokens,
    places,
    tokenizer,
    scorer,
    [Symbol.asyncDispose]: () => scorer[Symbol.asyncDispose](),
  }
}

/** A base model that is code, with its merged weights. */
async function openOwn(folder: string, config: JsonObject, runtime: RuntimeSettings): Promise<ModelInUse> {
  const base = requirePortable(config, folder)
  const task = DEFAULT_TASK
  const labels = labelsOfConfig(config, task, folder)
  const maxTokens = await maxTokensIn(folder, base.maxTokens)
  const tensors: Checkpoint = await readTensors(folder)
  const adapter = await base.adapterSchema({ task, adapter: NO_ADAPTERS, classes: labels.length })
  const head = headIn(tensors, adapter)
  if (head === undefined) throw noHead(folder, adapter)
  const request = { task, model: { name: base.name, maxTokens }, labels, adapter } as const
  const engine = await base.portable.createEngine(request, runtime, tensors)
  const scorer = engineScorer(engine, initialState(adapter, { seed: 'merged', head }))
  return {
    name: base.name,
    task,
    labels,
    maxTokens,
    places: maxTokens,
    tokenizer: await base.loadTokenizer(),
    scorer,
    [Symbol.asyncDispose]: () => scorer[Symbol.asyncDispose](),
  }
}

function headIn(tensors: Checkpoint, { head }: AdapterSchema): readonly NamedTensor[] | undefined {
  const found = head.flatMap(({ name, shape }) => {
    const tensor = tensors.get(name)
    return tensor && String(tensor.shape) === String(shape) ? [tensor] : []
  })
  return found.length === head.length ? found : undefined
}

function noHead(folder: string, { head }: AdapterSchema): FedsvdError {
  return new FedsvdError('CHECKPOINT_INVALID', {
    expected: `a trained head in ${folder}: ${head.map(({ name, shape }) => `${name} [${shape.join(', ')}]`).join(', ')}`,
    got: 'other tensors',
    remedy: 'Name a folder that `fedsvd export --format merged` wrote, or a checkpoint that was trained for its task.',
  })
}
