import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { type AdapterState, predictsTokens, type Task } from '@fedsvd/core/lora'
import { checkpointIdentitySchema, parseMessage } from '@fedsvd/core/protocol'
import { z } from 'zod'
import { type JsonObject, readBytes } from '../files/index.ts'
import type { ModelStore } from '../models/index.ts'
import { baseModels, checkpointSchema, longestText, type ModelRequest } from '../training/index.ts'
import { PEFT_TASK_TYPES, readAdapter } from '../weights/peft/index.ts'
import { decodeSafetensors } from '../weights/safetensors/index.ts'
import { readFacts, TEXT_LENGTH } from './folder-facts.ts'
import type { ModelInUse } from './model-in-use.ts'
import { type OpeningTerms, openState } from './open-state.ts'

/** The parts of PEFT's config that decide what an adapter computes. Others may be there. */
const configSchema = z.strictObject({
  peft_type: z.literal('LORA'),
  task_type: z.enum(['SEQ_CLS', 'TOKEN_CLS', 'CAUSAL_LM']),
  base_model_name_or_path: z.string(),
  revision: z.string().nullish(),
  r: z.int().min(1),
  lora_alpha: z.number().positive(),
})

/** What would make B A count otherwise than by alpha / rank, or add something to it. */
const OTHERWISE = [
  'use_rslora',
  'use_dora',
  'lora_bias',
  'rank_pattern',
  'alpha_pattern',
  'target_parameters',
  'layer_replication',
  'trainable_token_indices',
] as const

const TASK_OF: Readonly<Record<z.infer<typeof configSchema>['task_type'], Task>> = {
  SEQ_CLS: 'sequence-classification',
  TOKEN_CLS: 'token-classification',
  CAUSAL_LM: 'causal-lm',
}

/** Opens an adapter with its base model. @throws FedsvdError as {@link readAdapterFolder}, and RUNTIME_UNAVAILABLE */
export async function openAdapterFolder(folder: string, terms: OpeningTerms): Promise<ModelInUse> {
  const { request, state } = await readAdapterFolder(folder, terms.models)
  return await openState(request, state, terms)
}

/** An adapter as training takes it. */
export interface TrainedAdapter {
  /** Its base model, task and labels. */
  readonly request: ModelRequest
  readonly state: AdapterState
}

/**
 * Reads an adapter and finds its base model: code that this process knows, or a checkpoint below the model folder,
 * which has to be the one that the run was made with, where the adapter says which that was.
 *
 * @throws FedsvdError CHECKPOINT_INVALID, ADAPTER_INVALID, CONFIG_INVALID
 */
export async function readAdapterFolder(folder: string, models: ModelStore): Promise<TrainedAdapter> {
  const config = readConfig(await readFacts(folder, 'adapter_config.json'), folder)
  const path = join(folder, 'adapter_model.safetensors')
  const { tensors, metadata } = decodeSafetensors(await readBytes(path, 'Copy the whole folder.'))
  const names = tensors.map(({ name, shape }) => ({ name: name.replace(/^base_model\.model\./, ''), shape }))
  const task = TASK_OF[config.task_type]
  const facts = factsOf(metadata, path)
  const targets = names.flatMap(({ name }) => (name.endsWith(FACTOR) ? [name.slice(0, -FACTOR.length)] : []))
  const output = names.findLast(({ name }) => !name.includes('.lora_') && name.endsWith('.weight'))
  const labels = predictsTokens(task) ? [] : (facts.labels ?? numbered(output?.shape[0] ?? 0))
  const adapter = { rank: config.r, alpha: config.lora_alpha, headMode: 'trained' as const, targets }
  const name = [config.base_model_name_or_path, config.revision].filter(Boolean).join('@')
  const own = facts.checkpoint === undefined ? baseModels.find(name) : undefined
  const reference = { name, checkpoint: facts.checkpoint }
  const base = own ?? (await models.open(reference))
  const schema =
    'adapterSchema' in base
      ? await base.adapterSchema({ task, adapter, classes: labels.length })
      : checkpointSchema(base.config, { task, ...adapter, classes: labels.length })
  const longest = 'adapterSchema' in base ? base.maxTokens : longestText(base.config)
  const maxTokens = Math.min(longest, facts.maxTokens ?? TEXT_LENGTH)
  const request = { task, model: { ...reference, maxTokens }, labels, adapter: schema }
  return { request, state: await readAdapter(folder, schema) }
}

const FACTOR = '.lora_A.weight'

/** As Hugging Face names classes that nobody has named. */
function numbered(classes: number): string[] {
  return Array.from({ length: classes }, (_, index) => `LABEL_${index}`)
}

function readConfig(fields: JsonObject, folder: string): z.infer<typeof configSchema> {
  const read = Object.keys(configSchema.shape).map((key) => [key, fields[key]])
  const found = configSchema.safeParse(Object.fromEntries(read))
  const isSet = (value: unknown): boolean =>
    !(
      value === undefined ||
      value === null ||
      value === false ||
      JSON.stringify(value) === '{}' ||
      JSON.stringify(value) === '[]'
    )
  const other =
    OTHERWISE.find((field) => isSet(fields[field])) ??
    (isSet(fields.bias) && fields.bias !== 'none' ? 'bias' : undefined)
  if (found.success && other === undefined) return found.data
  const wrong = found.success ? other! : String(found.error.issues[0]?.path[0] ?? 'the file')
  throw new FedsvdError('ADAPTER_INVALID', {
    expected: `a LoRA adapter for ${Object.values(PEFT_TASK_TYPES).join(', ')} with scaling alpha / rank and nothing beside in ${folder}`,
    got: `${wrong}: ${JSON.stringify(fields[wrong])?.slice(0, 200) ?? 'no such field'}`,
    remedy: 'Name a folder that `fedsvd export` wrote, or merge the adapter with PEFT first.',
  })
}

const factsSchema = z.strictObject({
  labels: z.array(z.string()).min(2).optional(),
  maxTokens: z.int().min(1).optional(),
  checkpoint: checkpointIdentitySchema.optional(),
})

/** What `fedsvd export` writes into the metadata of the tensors; each may be absent. */
function factsOf(metadata: Readonly<Record<string, string>>, path: string): z.infer<typeof factsSchema> {
  const values = (['labels', 'maxTokens', 'checkpoint'] as const).flatMap((key) => {
    const text = metadata[key]
    return text === undefined || text === '[]' ? [] : [[key, fromJson(text)]]
  })
  return parseMessage(factsSchema, Object.fromEntries(values), `the metadata of ${path}`)
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
