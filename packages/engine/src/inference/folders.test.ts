import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { initialState, type Task } from '@fedsvd/core/lora'
import { registerStarter, starterModel } from '@fedsvd/starter'
import { asIfTrained, factsOfRun } from '@fedsvd/testing/engine/trained-run'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SiteRecord } from '../datasets/index.ts'
import { exportModel } from '../export/index.ts'
import { modelStore } from '../models/index.ts'
import type { ExportFormat } from '../settings/index.ts'
import { checkpointSchema } from '../training/index.ts'
import { openCheckpoint } from '../weights/huggingface/index.ts'
import { classifyTexts, evaluateModel, openModel, openState, tagWords } from './index.ts'

const FORMATS = ['peft', 'merged', 'onnx'] as const
const LABELS = ['bad', 'fine', 'good']
const TEXTS = [{ text: 'a bad film' }, { text: 'it was a very good and long film', pair: 'the plot is dull' }]
const TINY = fileURLToPath(new URL('../training/vectors/encoders/bert', import.meta.url))

let folder: string
beforeAll(async () => {
  registerStarter()
  folder = await mkdtemp(join(tmpdir(), 'fedsvd-inference-'))
  await cp(TINY, join(folder, 'models', 'tiny'), { recursive: true })
})
afterAll(() => rm(folder, { recursive: true }))

const terms = () => ({ models: modelStore({ models: join(folder, 'models') }), runtime: { threads: 1 } })

async function exportTiny(task: Task, format: ExportFormat) {
  const stored = await terms().models.open({ name: 'tiny' })
  const schema = checkpointSchema(stored.config, { task, rank: 2, alpha: 4, headMode: 'trained', classes: 3 })
  const state = asIfTrained(initialState(schema, { seed: 'use' }))
  const place = join(folder, `${task}-${format}`)
  const identity = await stored.identity()
  const base = { kind: 'checkpoint', checkpoint: stored, identity } as const
  const trained = { task, schema, state, labels: LABELS, featureScale: 2, maxTokens: 16 }
  await exportModel({ format, folder: place, base, trained, facts: factsOfRun('tiny') })
  const model = { name: 'tiny', checkpoint: identity, maxTokens: 16, featureScale: 2 }
  return { place, request: { task, model, labels: LABELS, adapter: schema }, state }
}

describe.each(FORMATS)('a classifier exported as %s', (format) => {
  it('says of texts and pairs what the state of its run says', async () => {
    const { place, request, state } = await exportTiny('sequence-classification', format)
    await using ofRun = await openState(request, state, terms())
    await using exported = await openModel(place, terms())
    expect(exported).toMatchObject({ task: 'sequence-classification', labels: LABELS, maxTokens: 16 })
    const expected = await classifyTexts(ofRun, TEXTS)
    const found = await classifyTexts(exported, TEXTS)
    expect(found).toHaveLength(2)
    for (const [row, probabilities] of expected.entries()) {
      expect(probabilities.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 9)
      for (const [at, value] of probabilities.entries()) expect(found[row]![at]).toBeCloseTo(value, 4)
    }
  })

  it('tags words, and none that was cut off', async () => {
    const { place, request, state } = await exportTiny('token-classification', format)
    await using ofRun = await openState(request, state, terms())
    await using exported = await openModel(place, terms())
    const words = [...'the film was very good'.split(' '), ...Array.from({ length: 20 }, () => 'bad')]
    const expected = await tagWords(ofRun, words)
    const found = await tagWords(exported, words)
    expect(found.map(({ word }) => word)).toEqual(words)
    expect(found.map(({ tag }) => tag)).toEqual(expected.map(({ tag }) => tag))
    expect(found.at(-1)).toEqual({ word: 'bad' })
    for (const [at, { score }] of expected.slice(0, 5).entries()) {
      expect(score).toBeGreaterThan(1 / LABELS.length)
      expect(found[at]!.score).toBeCloseTo(score!, 4)
    }
  })
})

describe.each(FORMATS)('the starter exported as %s', (format) => {
  it('says what the state of its run says', async () => {
    const adapter = await starterModel.adapterSchema({
      adapter: { rank: 2, alpha: 4, headMode: 'trained' },
      classes: 2,
    })
    const state = asIfTrained(initialState(adapter, { seed: 'use' }))
    const place = join(folder, `starter-${format}`)
    const labels = ['ham', 'spam']
    const trained = { schema: adapter, state, labels, featureScale: 10, maxTokens: 16 }
    const base = { kind: 'code', model: starterModel } as const
    await exportModel({ format, folder: place, base, trained, facts: factsOfRun('starter') })
    const model = { name: 'starter', maxTokens: 16, featureScale: 10 }
    await using ofRun = await openState({ model, labels, adapter }, state, terms())
    await using exported = await openModel(place, terms())
    expect(exported).toMatchObject({ name: 'starter', labels, maxTokens: 16 })
    const texts = [{ text: 'WIN a prize ==== now' }, { text: '  lunch\n at noon? ' }]
    const [expected, found] = [await classifyTexts(ofRun, texts), await classifyTexts(exported, texts)]
    for (const [row, [first]] of expected.map((values) => Array.from(values)).entries())
      expect(found[row]![0]).toBeCloseTo(first!, 4)
  })
})

describe('measuring a model', () => {
  it('counts texts by label, and finds the same in every format', async () => {
    const records: SiteRecord[] = ['a bad film', 'a good film', 'the plot is bright'].map((text, index) => {
      return { text, label: LABELS[index]! }
    })
    const found = []
    for (const format of FORMATS) {
      const { place } = await exportTiny('sequence-classification', format)
      await using model = await openModel(place, terms())
      const evaluation = await evaluateModel(model, records)
      found.push(evaluation)
      if (!('confusion' in evaluation)) throw new TypeError('expected a confusion matrix')
      expect(evaluation).toMatchObject({ counts: 'texts', texts: 3, records: 3, majority: 1 / 3 })
      const probabilities = await classifyTexts(model, records as { text: string }[])
      const right = probabilities.filter((row, index) => row.indexOf(Math.max(...row)) === index).length
      expect(evaluation.accuracy).toBeCloseTo(right / 3, 12)
    }
    expect(found[1]!.loss).toBeCloseTo(found[0]!.loss, 4)
    expect(found[2]!.loss).toBeCloseTo(found[0]!.loss, 4)
  })

  it('counts words by tag', async () => {
    const { place } = await exportTiny('token-classification', 'onnx')
    await using model = await openModel(place, terms())
    const words = ['the', 'film', 'was', 'good']
    const said = (await tagWords(model, words)).map(({ tag }) => tag!)
    const tags = [...said.slice(0, 3), LABELS.find((label) => label !== said[3])!]
    const evaluation = await evaluateModel(model, [{ task: 'token-classification', words, tags }])
    expect(evaluation).toMatchObject({ counts: 'words', texts: 1, records: 4, accuracy: 3 / 4 })
  })

  it('refuses records of another task, labels it does not know, and no records', async () => {
    const { place } = await exportTiny('sequence-classification', 'onnx')
    await using model = await openModel(place, terms())
    await expect(evaluateModel(model, [])).rejects.toThrow(/DATA_EMPTY/)
    await expect(evaluateModel(model, [{ text: 'a', label: 'worse' }])).rejects.toThrow(/LABEL_UNKNOWN.*in record 1/)
    await expect(evaluateModel(model, [{ task: 'causal-lm', text: 'a' }])).rejects.toThrow(/CONFIG_INVALID/)
    await expect(tagWords(model, ['a'])).rejects.toThrow(/CONFIG_INVALID.*sequence-classification/)
  })
})

describe('a folder that is no model', () => {
  const place = (name: string) => join(folder, name)

  it('is refused, with what is missing', async () => {
    await expect(openModel(place('nowhere'), terms())).rejects.toThrow(/CHECKPOINT_INVALID.*no such folder/)
    await expect(openModel(folder, terms())).rejects.toThrow(/CHECKPOINT_INVALID.*without any of them/)
    await expect(openModel(TINY, terms())).rejects.toThrow(/CHECKPOINT_INVALID.*architectures/)
  })

  it('is refused where the base model of an adapter is not the one it was trained with, or not here', async () => {
    const { place: adapter } = await exportTiny('sequence-classification', 'peft')
    const elsewhere = { ...terms(), models: modelStore({ models: place('no-models') }) }
    await expect(openModel(adapter, elsewhere)).rejects.toThrow(/CHECKPOINT_INVALID.*"tiny"/)
    await cp(TINY, place('others/tiny'), { recursive: true })
    const bytes = await readFile(place('others/tiny/model.safetensors'))
    bytes[bytes.length - 1] = bytes.at(-1)! ^ 1
    await writeFile(place('others/tiny/model.safetensors'), bytes)
    const other = { ...terms(), models: modelStore({ models: place('others') }) }
    await expect(openModel(adapter, other)).rejects.toThrow(/CHECKPOINT_INVALID.*tensors of "tiny"/)
  })

  it.each([
    [{ use_rslora: true }, /ADAPTER_INVALID.*use_rslora: true/],
    [{ rank_pattern: { query: 4 } }, /ADAPTER_INVALID.*rank_pattern/],
    [{ peft_type: 'IA3' }, /ADAPTER_INVALID.*peft_type: "IA3"/],
    [{ r: 0 }, /ADAPTER_INVALID.*r: 0/],
    [{ bias: 'all' }, /ADAPTER_INVALID.*bias: "all"/],
    [{ r: 3 }, /ADAPTER_INVALID/],
    [{ base_model_name_or_path: '../tiny' }, /CONFIG_INVALID/],
  ])('is refused where an adapter says %j', async (changed, message) => {
    const { place: adapter } = await exportTiny('sequence-classification', 'peft')
    const path = join(adapter, 'adapter_config.json')
    const config = JSON.parse(await readFile(path, 'utf8')) as object
    await writeFile(path, JSON.stringify({ ...config, ...changed }))
    await expect(openModel(adapter, terms())).rejects.toThrow(message)
  })

  it.each([
    ['model.onnx of zeros', 'onnx/model.onnx', Buffer.alloc(64), /CHECKPOINT_INVALID.*an ONNX model/],
    ['no tokenizer', 'tokenizer.json', undefined, /CHECKPOINT_INVALID.*tokenizer\.json/],
    ['half a config', 'config.json', Buffer.from('{"id2label"'), /config\.json/],
    ['no labels', 'config.json', Buffer.from('{"architectures":["BertForSequenceClassification"]}'), /id2label/],
  ])('is refused with %s', async (_, name, content, message) => {
    const { place: source } = await exportTiny('sequence-classification', 'onnx')
    const broken = await mkdtemp(place('broken-'))
    await cp(source, broken, { recursive: true })
    if (content === undefined) await rm(join(broken, name))
    else await writeFile(join(broken, name), content)
    await expect(openModel(broken, terms())).rejects.toThrow(message)
  })

  it('is read where somebody else has trained the checkpoint, by its own labels', async () => {
    const { place: merged } = await exportTiny('sequence-classification', 'merged')
    const checkpoint = await openCheckpoint(merged)
    expect(checkpoint.config.architectures).toEqual(['BertForSequenceClassification'])
    await rm(join(merged, 'README.md'))
    await using model = await openModel(merged, terms())
    expect(model.labels).toEqual(LABELS)
  })
})
