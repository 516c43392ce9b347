import { cp, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { modelListSchema } from '../../../packages/core/src/protocol/index.ts'
import { call, temporaryFolder, testCoordinator } from '../../../packages/testing/src/server/index.ts'
import { modelsOf } from '../src/models/index.ts'

const VECTORS = fileURLToPath(new URL('../../../packages/engine/src/training/vectors', import.meta.url))
const EVERY_TASK = ['sequence-classification', 'token-classification', 'causal-lm', 'instruction-tuning']

/** The smallest GPT-2 that there can be. */
const GPT2 = { model_type: 'gpt2', vocab_size: 99, n_positions: 64, n_embd: 32, n_layer: 2, n_head: 4 }

let folder: Awaited<ReturnType<typeof temporaryFolder>>

beforeAll(async () => {
  folder = await temporaryFolder()
  await cp(path.join(VECTORS, 'encoders/bert'), path.join(folder.path, 'clinic-bert'), { recursive: true })
  await mkdir(path.join(folder.path, 'lab/gpt2@v1'), { recursive: true })
  await writeFile(path.join(folder.path, 'lab/gpt2@v1/config.json'), JSON.stringify(GPT2))
  await mkdir(path.join(folder.path, 'unknown'))
  await writeFile(path.join(folder.path, 'unknown/config.json'), '{ "model_type": "oracle" }')
})
afterAll(() => folder[Symbol.asyncDispose]())

describe('the models of a coordinator', () => {
  it('are listed with what each can be trained for, and those that cannot be used with the reason', async () => {
    await using coordinator = await testCoordinator({}, { models: modelsOf({ models: folder.path }) })
    const { url, operatorToken: bearer } = coordinator
    const { status, body } = await call(url, 'GET /v1/models', { bearer })
    expect(status).toBe(200)
    const { models, unusable, hasHub } = modelListSchema.parse(body)
    expect(models).toEqual([
      { name: 'starter', maxTokens: 128, tasks: ['sequence-classification'], isComplete: true },
      {
        name: 'clinic-bert',
        modelType: 'bert',
        maxTokens: expect.any(Number),
        tasks: ['sequence-classification', 'token-classification'],
        isComplete: true,
      },
      {
        name: 'lab/gpt2@v1',
        modelType: 'gpt2',
        maxTokens: expect.any(Number),
        tasks: EVERY_TASK,
        isComplete: false,
      },
    ])
    expect(unusable).toEqual([{ name: 'unknown', reason: expect.stringContaining('oracle') }])
    expect(hasHub).toBe(false)
  })

  it('say whether others would be looked for on a hub, which listing them does not ask', async () => {
    const hub = { url: 'http://127.0.0.1:1' }
    const models = modelsOf({ models: path.join(folder.path, 'nowhere'), hub })
    expect(await models.list()).toMatchObject({ models: [{ name: 'starter' }], unusable: [], hasHub: true })
  })
})
