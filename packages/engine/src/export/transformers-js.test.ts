import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { initialState, type Task } from '@fedsvd/core/lora'
import { probabilitiesOf } from '@fedsvd/core/metrics'
import { starterModel } from '@fedsvd/starter'
import { asIfTrained, factsOfRun } from '@fedsvd/testing/engine/trained-run'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeText } from '../datasets/index.ts'
import { checkpointSchema, createCheckpointEngine, longestText, type TrainingEngine } from '../training/index.ts'
import { type CheckpointFolder, openCheckpoint } from '../weights/huggingface/index.ts'
import { exportModel } from './export-model.ts'

/** The parts of transformers.js that are used. Its name is no literal: nothing but this test needs it installed. */
interface TransformersJs {
  readonly env: { allowRemoteModels: boolean; allowLocalModels: boolean }
  pipeline(task: string, folder: string): Promise<(texts: unknown, options?: object) => Promise<unknown>>
}
const load = async (): Promise<TransformersJs> => {
  const name = '@huggingface/transformers'
  const library = (await import(name)) as TransformersJs
  library.env.allowRemoteModels = false
  return library
}

const LABELS = ['bad', 'good']
const TEXTS = ['a bad film', 'it was a very good and very long film indeed']
let folder: string
let library: TransformersJs
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedsvd-transformers-js-'))
  library = await load()
})
afterAll(() => rm(folder, { recursive: true }))

/** All labels with their scores, in the order of the labels, as transformers.js computes them for a batch. */
async function scoresOf(path: string): Promise<number[][]> {
  const ask = await library.pipeline('text-classification', path)
  const found = (await ask(TEXTS, { top_k: null })) as { label: string; score: number }[][]
  return found.map((scores) => LABELS.map((name) => scores.find(({ label }) => label === name)!.score))
}

function expectClose(actual: readonly number[][], logits: Float32Array): void {
  const expected = probabilitiesOf(logits, LABELS.length).map((row) => Array.from(row))
  expect(Math.abs(expected[0]![0]! - 0.5), 'a model that says something').toBeGreaterThan(0.01)
  for (const [row, scores] of expected.entries()) {
    for (const [at, score] of scores.entries()) expect(actual[row]![at]).toBeCloseTo(score, 4)
  }
}

describe.each(['bert', 'roberta', 'distilbert'])('transformers.js on an export of a %s', (name) => {
  const checkpointFolder = fileURLToPath(new URL(`../training/vectors/encoders/${name}`, import.meta.url))
  let checkpoint: CheckpointFolder
  beforeAll(async () => {
    checkpoint = await openCheckpoint(checkpointFolder)
  })
  const exported = async (task: Task) => {
    const terms = { task, rank: 2, alpha: 4, headMode: 'trained', classes: 2 } as const
    const schema = checkpointSchema(checkpoint.config, terms)
    const state = asIfTrained(initialState(schema, { seed: 'export' }))
    const maxTokens = 16
    const path = join(folder, `${name}-${task}`)
    const base = { kind: 'checkpoint', checkpoint, identity: { config: '', tensors: '', tokenizer: '' } } as const
    const trained = { task, schema, state, labels: LABELS, maxTokens, featureScale: 2 }
    await exportModel({ format: 'onnx', folder: path, base, trained, facts: factsOfRun('tiny') })
    return { path, schema, state, maxTokens }
  }

  it('classifies a batch of texts as the engine does, and takes longer ones than the model has places for', async () => {
    const { path, schema, state, maxTokens } = await exported('sequence-classification')
    const tokenizer = await checkpoint.tokenizer()
    const records = await Promise.all(TEXTS.map((text) => encodeText({ text }, tokenizer, maxTokens)))
    expect(records[1]!.tokenIds.length).toBeGreaterThan(records[0]!.tokenIds.length)
    const options = { schema, classes: 2, featureScale: 2, threads: 1 }
    await using engine = (await createCheckpointEngine(checkpoint, options)) as TrainingEngine
    const logits = await engine.logits(
      records.map((record) => ({ ...record, label: 0 })),
      state,
    )
    expectClose(await scoresOf(path), logits)
    // transformers.js cuts the token at the end, too: what it makes of such a text is its own affair
    const ask = await library.pipeline('text-classification', path)
    expect(await ask('a good film '.repeat(longestText(checkpoint.config)))).toHaveLength(1)
  })

  it('tags tokens', async () => {
    const { path } = await exported('token-classification')
    const ask = await library.pipeline('token-classification', path)
    const found = (await ask(TEXTS[0], { ignore_labels: [] })) as { entity: string; score: number }[]
    expect(found.length).toBeGreaterThan(2)
    for (const { entity } of found) expect(LABELS).toContain(entity)
  })
})

describe('transformers.js on an export of the starter', () => {
  it('classifies texts as the engine does', async () => {
    const adapter = await starterModel.adapterSchema({
      adapter: { rank: 2, alpha: 4, headMode: 'trained' },
      classes: 2,
    })
    const state = asIfTrained(initialState(adapter, { seed: 'export' }))
    const path = join(folder, 'starter')
    const files = await exportModel({
      format: 'onnx',
      folder: path,
      base: { kind: 'code', model: starterModel },
      trained: { schema: adapter, state, labels: LABELS, featureScale: 10, maxTokens: 8 },
      facts: factsOfRun('starter'),
    })
    expect(files).toContain(join(path, 'onnx', 'model.onnx'))
    const request = { model: { name: 'starter', maxTokens: 8, featureScale: 10 }, labels: LABELS, adapter }
    await using engine = (await starterModel.createEngine(request, { threads: 1 })) as TrainingEngine
    const tokenizer = await starterModel.loadTokenizer()
    const records = await Promise.all(TEXTS.map((text) => encodeText({ text }, tokenizer, 8)))
    const logits = await engine.logits(
      records.map((record) => ({ ...record, label: 0 })),
      state,
    )
    expectClose(await scoresOf(path), logits)
    expect(await readFile(join(path, 'README.md'), 'utf8')).toContain("pipeline('text-classification', './model'")
  })
})
