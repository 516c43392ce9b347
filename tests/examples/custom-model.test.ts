import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { exportRun } from '../../apps/cli/src/export-run.ts'
import { modelsOf } from '../../apps/server/src/models/index.ts'
import { initialState } from '../../packages/core/src/lora/index.ts'
import { modelListSchema } from '../../packages/core/src/protocol/index.ts'
import { loadExtensions } from '../../packages/engine/src/extensions/index.ts'
import { modelStore } from '../../packages/engine/src/models/index.ts'
import { engineFor, type TrainingEngine, tokenizerFor } from '../../packages/engine/src/training/index.ts'
import { readAdapter } from '../../packages/engine/src/weights/peft/index.ts'
import { call, temporaryFolder, testCoordinator } from '../../packages/testing/src/server/index.ts'

const BAG_OF_BYTES = fileURLToPath(new URL('../../examples/custom-model/bag-of-bytes.mjs', import.meta.url))
const settings = { models: 'no-such-folder' }
const store = modelStore(settings)
const model = { name: 'bag-of-bytes', maxTokens: 40 }
const labels = ['ham', 'spam']

beforeAll(() => loadExtensions([BAG_OF_BYTES]))

describe('the example of a model', () => {
  it('is one that runs can name: a coordinator lists it and makes the schema of its adapters', async () => {
    await using coordinator = await testCoordinator({ extension: [BAG_OF_BYTES] }, { models: modelsOf(settings) })
    const { url, operatorToken: bearer } = coordinator
    const { models } = modelListSchema.parse((await call(url, 'GET /v1/models', { bearer })).body)
    expect(models.map(({ name, tasks, maxTokens }) => [name, tasks, maxTokens])).toEqual([
      ['starter', ['sequence-classification'], 128],
      ['bag-of-bytes', ['sequence-classification'], 512],
    ])
    const { adapter } = await coordinator.createRun({ model, labels })
    expect(adapter.layers).toEqual([{ name: 'mix', dIn: 32, dOut: 32 }])
    expect(adapter.head.map(({ shape }) => shape)).toEqual([[2, 32], [2]])
    await expect(coordinator.createRun({ model: { ...model, maxTokens: 513 }, labels })).rejects.toThrow(/at most 512/)
    const foreign = { rank: 2, alpha: 2, headMode: 'trained' as const, targets: ['query'] }
    await expect(coordinator.createRun({ model, labels, adapter: foreign })).rejects.toThrow(
      /ADAPTER_INVALID.*among mix/,
    )
  })

  it('is exported as an adapter, and not as a checkpoint that it does not have: the error says what there is', async () => {
    await using folder = await temporaryFolder()
    await using coordinator = await testCoordinator({ extension: [BAG_OF_BYTES] }, { models: modelsOf(settings) })
    const client = await coordinator.client('site')
    await client.connect()
    const { runId, adapter } = await coordinator.createRun({ model, labels, rounds: 1, clientsPerRound: 1, quorum: 1 })
    await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    const access = { url: coordinator.url, token: coordinator.operatorToken }
    const to = (format: 'peft' | 'merged' | 'onnx') =>
      exportRun(access, runId, { format, folder: path.join(folder.path, format) })

    await to('peft')
    const { layers, rank } = adapter
    const [mix] = (await readAdapter(path.join(folder.path, 'peft'), adapter)).b
    expect(mix!.shape).toEqual([layers[0]!.dOut, rank])
    for (const format of ['merged', 'onnx'] as const) {
      await expect(to(format)).rejects.toThrow(
        /^CONFIG_INVALID: expected --format peft for a run on bag-of-bytes, .*no checkpoint.* got --format (merged|onnx)\. Leave --format out/,
      )
      expect(existsSync(path.join(folder.path, format))).toBe(false)
    }
  })

  it('trains: steps along its clipped gradients lower the loss, and a record’s integers do not depend on its company', async () => {
    const own = await modelsOf(settings).open(model)
    const adapter = await own.adapterSchema({
      task: undefined,
      adapter: { rank: 4, alpha: 4, headMode: 'trained' },
      classes: 2,
    })
    const tokenizer = await tokenizerFor(model, store)
    await using engine = (await engineFor({ model, labels, adapter }, { threads: 1 }, store)) as TrainingEngine
    const texts: readonly [string, number][] = [
      ['lunch at noon', 0],
      ['WIN $$$ NOW!!!', 1],
      ['see you there', 0],
      ['FREE CASH $$', 1],
    ]
    const records = await Promise.all(
      texts.map(async ([text, label]) => ({ tokenIds: await tokenizer.encode(text, 40), label })),
    )
    let state = initialState(adapter, { seed: 'bytes' })
    const lossOf = (gradients: readonly { readonly loss: number }[]) =>
      gradients.reduce((sum, { loss }) => sum + loss, 0) / gradients.length
    const before = await engine.recordGradients(records, state)
    expect(lossOf(before)).toBeCloseTo(Math.LN2, 5) // a head of zeros says nothing
    const [alone] = await engine.recordGradients([records[1]!], state)
    expect(alone!.gradient).toEqual(before[1]!.gradient)
    for (let step = 0; step < 40; step += 1) {
      const gradients = await engine.recordGradients(records, state)
      const moved = [...state.b, ...state.head].map((tensor, index) => ({
        ...tensor,
        data: tensor.data.map(
          (value, at) => value - 0.2 * gradients.reduce((sum, { gradient }) => sum + gradient[index]![at]!, 0),
        ),
      }))
      state = { ...state, b: moved.slice(0, 1), head: moved.slice(1) }
    }
    expect(lossOf(await engine.recordGradients(records, state))).toBeLessThan(0.3)
    const other = { ...adapter, layers: [{ name: 'mix', dIn: 32, dOut: 16 }] }
    await expect(engineFor({ model, labels, adapter: other }, { threads: 1 }, store)).rejects.toThrow(/ADAPTER_INVALID/)
  })
})
