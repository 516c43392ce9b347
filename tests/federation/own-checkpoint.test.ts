import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exportRun } from '../../apps/cli/src/export-run.ts'
import { type ClientEvent, clientConfig, startClient } from '../../apps/client/src/index.ts'
import { type Coordinator, startCoordinator } from '../../apps/server/src/index.ts'
import { createMemoryStore } from '../../apps/server/src/storage/records/memory/index.ts'
import { initialState } from '../../packages/core/src/lora/index.ts'
import type { RunManifest, RunRequest } from '../../packages/core/src/protocol/index.ts'
import { encodeText } from '../../packages/engine/src/datasets/index.ts'
import { checkpointHead, modelStore } from '../../packages/engine/src/models/index.ts'
import { engineFor, type TaskEngine, type TrainingEngine } from '../../packages/engine/src/training/index.ts'
import { openCheckpoint } from '../../packages/engine/src/weights/huggingface/index.ts'
import { readAdapter } from '../../packages/engine/src/weights/peft/index.ts'
import { get, post, temporaryFolder } from '../../packages/testing/src/server/index.ts'

/** A BERT of two small layers with random weights, written by scripts/encoder_vectors.py. */
const TINY = fileURLToPath(new URL('../../packages/engine/src/training/vectors/encoders/bert', import.meta.url))
const GOOD = 'this movie was very good and the plot is bright'
const BAD = 'a dull story , the acting was bad and so awful'

const request: Omit<RunRequest, 'model'> = {
  name: 'reviews',
  method: 'fedsvd',
  labels: ['bad', 'good'],
  adapter: { rank: 2, alpha: 4, headMode: 'trained' },
  rounds: 3,
  localSteps: 4,
  expectedLotSize: 60,
  clipNorm: 1,
  learningRate: 2,
  momentum: 0,
  target: { epsilon: 50, delta: 1e-3 },
  clientsPerRound: 1,
  quorum: 1,
  deadlineSeconds: 120,
  seed: 'public',
}

describe('a BERT of one’s own', { timeout: 120_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let coordinator: Coordinator
  let here: (name: string) => string

  beforeAll(async () => {
    folder = await temporaryFolder()
    here = (name) => join(folder.path, name)
    const rows = Array.from({ length: 240 }, (_, n) => `"${n % 2 ? GOOD : BAD} ${n}","${n % 2 ? 'good' : 'bad'}"`)
    await writeFile(here('reviews.csv'), ['text,label', ...rows].join('\n'))
    await writeFile(
      here('public.jsonl'),
      [GOOD, BAD].map((text) => JSON.stringify({ text, label: text === GOOD ? 'good' : 'bad' })).join('\n'),
    )
    for (const machine of ['coordinator', 'site']) await cp(TINY, here(`${machine}/tiny-bert`), { recursive: true })
    coordinator = await startCoordinator(
      {
        port: 0,
        stateDir: here('state'),
        models: here('coordinator'),
        holdOut: here('public.jsonl'),
        logLevel: 'silent',
        gatherSeconds: 0.2,
        graceSeconds: 1,
      },
      { openStore: async () => createMemoryStore() },
    )
  })
  afterAll(async () => {
    await coordinator[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  const open = (model: RunRequest['model']) =>
    post<RunManifest>(coordinator.url, '/v1/runs', { ...request, model }, coordinator.operatorToken)

  const site = async (name: string, models: string, onEvent: (event: ClientEvent) => void) => {
    const { url, operatorToken } = coordinator
    const asked = await post<{ tokens: [string] }>(
      url,
      '/v1/enrolment-tokens',
      { count: 1, expiresInSeconds: 60 },
      operatorToken,
    )
    return await startClient(
      clientConfig({
        coordinator: url,
        name,
        dataFile: here('reviews.csv'),
        stateDir: here(name),
        budget: { epsilon: 50, delta: 1e-3 },
        declaredRecords: 240,
        releaseGrid: false,
        enrolmentToken: asked.tokens[0],
        models,
      }),
      { onEvent },
    )
  }

  it('is trained by a site on its own CSV, exported in three forms and loaded again with the same logits', async () => {
    const manifest = await open({ name: 'tiny-bert', maxTokens: 24 })
    expect(manifest.model.checkpoint).toMatchObject({ config: expect.stringMatching(/^[0-9a-f]{64}$/) })
    expect(manifest.adapter.layers.map(({ name }) => name)).toEqual([
      'bert.encoder.layer.0.attention.self.query',
      'bert.encoder.layer.0.attention.self.value',
      'bert.encoder.layer.1.attention.self.query',
      'bert.encoder.layer.1.attention.self.value',
    ])
    const declined: ClientEvent[] = []
    await using client = await site('site-a', here('site'), (event) => {
      if (event.event === 'declined' || event.event === 'round-failed') declined.push(event)
    })
    expect(await client.nextEnding()).toMatchObject({ state: 'completed' })
    expect(declined).toEqual([])
    const { runId } = manifest
    const access = { url: coordinator.url, token: coordinator.operatorToken }
    const models = { models: here('site') }
    for (const format of ['peft', 'merged', 'onnx'] as const) {
      const files = await exportRun(access, runId, { format, folder: here(`models/${format}`), models })
      expect(files.length).toBeGreaterThan(1)
    }

    const store = modelStore(models)
    const state = await readAdapter(here('models/peft'), manifest.adapter)
    const untrained = initialState(manifest.adapter, { seed: manifest.seed })
    for (const [index, { data }] of [...state.b, ...state.head].entries()) {
      expect(data).not.toEqual([...untrained.b, ...untrained.head][index]!.data)
    }
    const tokenizer = await (await openCheckpoint(here('models/merged'))).tokenizer()
    const encoded = await Promise.all([GOOD, BAD].map((text) => encodeText({ text }, tokenizer, 24)))
    const records = encoded.map((text) => ({ ...text, label: 0 }))
    await using adapted = await engineFor(manifest, { threads: 1 }, store)
    const expected = await classifier(adapted).logits(records, state)
    expect(expected[1]! - expected[0]!, 'a good review is called good').toBeGreaterThan(0)
    expect(expected[3]! - expected[2]!, 'a bad one is not').toBeLessThan(0)
    const merged = await openCheckpoint(here('models/merged'))
    const head = await checkpointHead(merged, { schema: manifest.adapter, labels: manifest.labels })
    const { checkpoint: _, ...model } = manifest.model
    await using again = await engineFor(
      { ...manifest, model: { ...model, name: 'merged' } },
      { threads: 1 },
      modelStore({ models: here('models') }),
    )
    const actual = await classifier(again).logits(records, initialState(manifest.adapter, { seed: 'any', head }))
    for (const [at, value] of expected.entries()) expect(Math.abs(actual[at]! - value)).toBeLessThan(1e-4)

    const snapshot = await get<{ rounds: { evaluation?: { accuracy: number } }[] }>(
      access.url,
      `/v1/runs/${runId}`,
      access.token,
    )
    expect(snapshot.rounds).toHaveLength(3)
  })

  it('is refused by a site that has another checkpoint under its name, before it agrees to anything', async () => {
    const other = here('other/tiny-bert')
    await mkdir(here('other'))
    await cp(TINY, other, { recursive: true })
    const bytes = await readFile(join(other, 'model.safetensors'))
    bytes[bytes.length - 1] = bytes.at(-1)! ^ 1
    await writeFile(join(other, 'model.safetensors'), bytes)
    const { runId } = await open({ name: 'tiny-bert', maxTokens: 24 })
    const refused = withResolvers<ClientEvent>()
    await using _client = await site('site-b', here('other'), (event) => {
      if ('runId' in event && event.runId === runId) refused.resolve(event)
    })
    expect(await refused.promise).toMatchObject({
      event: 'declined',
      error: {
        code: 'CHECKPOINT_INVALID',
        expected: expect.stringMatching(/^the tensors of "tiny-bert" with SHA-256/),
      },
    })
    await post(coordinator.url, `/v1/runs/${runId}/stop`, {}, coordinator.operatorToken)
  })

  it('can be the model of a run whose coordinator has config.json only, if the request says what the checkpoint holds', async () => {
    const bare = here('coordinator/bare-bert')
    await mkdir(bare)
    await cp(join(TINY, 'config.json'), join(bare, 'config.json'))
    await expect(open({ name: 'bare-bert', maxTokens: 24 })).rejects.toThrow(/CONFIG_INVALID/)
    const checkpoint = await (await modelStore({ models: here('site') }).open({ name: 'tiny-bert' })).identity()
    await expect(
      open({ name: 'bare-bert', maxTokens: 24, checkpoint: { ...checkpoint, config: '0'.repeat(64) } }),
    ).rejects.toThrow(/CHECKPOINT_INVALID/)
    const manifest = await open({ name: 'bare-bert', maxTokens: 24, checkpoint })
    expect(manifest.model.checkpoint).toEqual(checkpoint)
    await post(coordinator.url, `/v1/runs/${manifest.runId}/stop`, {}, coordinator.operatorToken)
    await rm(bare, { recursive: true })
  })

  it.each([
    [{ name: '../tiny-bert', maxTokens: 24 }, /CONFIG_INVALID/],
    [{ name: 'nobody/nothing', maxTokens: 24 }, /CHECKPOINT_INVALID/],
    [{ name: 'tiny-bert', maxTokens: 33 }, /CONFIG_INVALID/],
  ])('opens no run on %j', async (model, message) => {
    await expect(open(model)).rejects.toThrow(message)
  })
})

function withResolvers<T>() {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

function classifier(engine: TaskEngine): TrainingEngine {
  if ('logits' in engine) return engine
  throw new TypeError('expected an engine for sequence classification')
}
