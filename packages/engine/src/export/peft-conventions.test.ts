import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { initialState, type Task } from '@fedsvd/core/lora'
import { factsOfRun } from '@fedsvd/testing/engine/trained-run'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonObject } from '../files/index.ts'
import { checkpointSchema } from '../training/index.ts'
import { openCheckpoint } from '../weights/huggingface/index.ts'
import { decodeSafetensors } from '../weights/safetensors/index.ts'
import { exportModel } from './export-model.ts'

/*
 * What PEFT 0.19 does with a folder, read in its source: auto.py, config.py, peft_model.py and utils/save_and_load.py.
 * Where this test fails, AutoPeftModel does not load the folder, or loads it and predicts something else.
 */

/** `classifier_module_names` of PeftModelForSequenceClassification and of PeftModelForTokenClassification. */
const ALWAYS_SAVED = ['classifier', 'score']

/** Fields of LoraConfig that are written; PEFT drops others with a warning. */
const KNOWN_FIELDS = [
  'peft_type',
  'task_type',
  'base_model_name_or_path',
  'revision',
  'r',
  'lora_alpha',
  'lora_dropout',
  'bias',
  'fan_in_fan_out',
  'use_rslora',
  'use_dora',
  'init_lora_weights',
  'inference_mode',
  'target_modules',
  'modules_to_save',
]

const HUB = `owner/tiny@${'a'.repeat(40)}`

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedsvd-peft-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe.each([
  ['bert', 'sequence-classification'],
  ['bert', 'token-classification'],
  ['roberta', 'sequence-classification'],
  ['distilbert', 'sequence-classification'],
] as const satisfies readonly [string, Task][])('PEFT on an adapter of %s for %s', (name, task) => {
  const labels = ['bad', 'fine', 'good']
  const place = () => join(folder, `${name}-${task}`)
  const json = async (file: string) => JSON.parse(await readFile(join(place(), file), 'utf8')) as JsonObject
  let keys: readonly string[]

  beforeAll(async () => {
    const source = fileURLToPath(new URL(`../training/vectors/encoders/${name}`, import.meta.url))
    const checkpoint = await openCheckpoint(source)
    const schema = checkpointSchema(checkpoint.config, { task, rank: 2, alpha: 4, headMode: 'trained', classes: 3 })
    const identity = { config: 'a', tensors: 'b', tokenizer: 'c' }
    await exportModel({
      format: 'peft',
      folder: place(),
      base: { kind: 'checkpoint', checkpoint, identity },
      trained: { task, schema, state: initialState(schema, { seed: 'peft' }), labels, maxTokens: 16 },
      facts: factsOfRun(HUB),
    })
    const { tensors } = decodeSafetensors(await readFile(join(place(), 'adapter_model.safetensors')))
    keys = tensors.map((tensor) => tensor.name.replace(/^base_model\.model\./, ''))
  })

  it('finds a config of fields that it knows, and the base model by path and revision', async () => {
    const config = await json('adapter_config.json')
    expect(Object.keys(config).filter((field) => !KNOWN_FIELDS.includes(field))).toEqual([])
    expect(config).toMatchObject({
      peft_type: 'LORA',
      task_type: task === 'token-classification' ? 'TOKEN_CLS' : 'SEQ_CLS',
      base_model_name_or_path: 'owner/tiny',
      revision: 'a'.repeat(40),
      inference_mode: true,
    })
  })

  it('injects adapters into the layers that have tensors and into no others', async () => {
    const { target_modules: targets } = (await json('adapter_config.json')) as { target_modules: string[] }
    const source = await openCheckpoint(fileURLToPath(new URL(`../training/vectors/encoders/${name}`, import.meta.url)))
    const layers = checkpointSchema(source.config, {
      task,
      rank: 2,
      alpha: 4,
      headMode: 'trained',
      classes: 3,
      targets: ['all-linear'],
    }).layers
    const isTarget = (layer: string) => targets.some((target) => layer === target || layer.endsWith(`.${target}`))
    const injected = layers.map((layer) => layer.name).filter(isTarget)
    const factors = keys.filter((key) => key.includes('.lora_')).sort()
    expect(factors).toEqual(injected.flatMap((layer) => [`${layer}.lora_A.weight`, `${layer}.lora_B.weight`]).sort())
  })

  it('finds every tensor of each module that it saves whole, the ones that it always saves included', async () => {
    const { modules_to_save: named } = (await json('adapter_config.json')) as { modules_to_save: string[] }
    const heads = keys.filter((key) => !key.includes('.lora_'))
    expect(heads.map((key) => key.split('.')[0])).toEqual(
      expect.arrayContaining(ALWAYS_SAVED.filter((module) => heads.some((key) => key.startsWith(`${module}.`)))),
    )
    for (const key of heads) expect(named, key).toContain(key.split('.')[0])
    for (const module of named) {
      const own = heads.filter((key) => key.startsWith(`${module}.`))
      expect(own.some((key) => key.endsWith('.weight')) && own.some((key) => key.endsWith('.bias'))).toBe(true)
    }
  })

  it('reads a tokenizer that names its own class, and needs no more embeddings than there are', async () => {
    const config = await json('tokenizer_config.json')
    expect(config.tokenizer_class).toMatch(/Tokenizer/)
    expect(config.model_max_length).toBe(16)
    const source = await openCheckpoint(fileURLToPath(new URL(`../training/vectors/encoders/${name}`, import.meta.url)))
    const { vocabularySize } = await (await openTokenizer()).tokenizer()
    expect(vocabularySize).toBeLessThanOrEqual(source.config.vocab_size as number)
  })

  it('is given the labels by the snippet of the model card', async () => {
    const card = await readFile(join(place(), 'README.md'), 'utf8')
    const ending = task === 'token-classification' ? 'TokenClassification' : 'SequenceClassification'
    expect(card).toContain('labels = ["bad", "fine", "good"]')
    expect(card).toContain(
      `AutoPeftModelFor${ending}.from_pretrained("model", num_labels=len(labels), id2label=dict(enumerate(labels)))`,
    )
    expect(card).toContain('AutoTokenizer.from_pretrained("model")')
  })

  /** The adapter's folder, as a checkpoint's tokenizer is opened. */
  async function openTokenizer() {
    const { loadHuggingFaceTokenizer } = await import('../tokenizers/index.ts')
    return { tokenizer: () => loadHuggingFaceTokenizer(place()) }
  }
})
