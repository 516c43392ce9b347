import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openRefactoriser } from '../../apps/server/src/refactorisation/index.ts'
import { encodeState, schemaHashOf } from '../../apps/server/src/rounds/index.ts'
import { createMemoryStore } from '../../apps/server/src/storage/records/memory/index.ts'
import { initialState, trainedSpecs } from '../../packages/core/src/lora/index.ts'
import { offerSchema, parseMessage } from '../../packages/core/src/protocol/index.ts'
import { sizeOf } from '../../packages/core/src/tensor/index.ts'
import { loadExtensions } from '../../packages/engine/src/extensions/index.ts'
import { testCoordinator, tinyRequest } from '../../packages/testing/src/server/index.ts'

const TRUNCATED = fileURLToPath(new URL('../../examples/custom-method/truncated.mjs', import.meta.url))

/** What of an extension is in this process is in it for good, so the order of these is that of the file. */
describe('without the extension that defines what a run names', () => {
  it.each([
    [
      { method: 'fedsvd-truncatd' },
      /expected a run request with a valid method, got fedsvd-truncatd.*known: fedsvd, ffa-lora/,
    ],
    [{ method: 'fedsv' }, /did you mean fedsvd\?/],
    [{ initialiser: 'rademacher' }, /valid initialiser, got rademacher.*known: orthonormal, kaiming/],
    [{ aggregation: { name: 'geometric-median', iterations: 5 } }, /valid aggregation\.name, got geometric-median/],
  ])('a coordinator refuses a request before anything is made: %j', async (changes, told) => {
    await using coordinator = await testCoordinator()
    await expect(coordinator.createRun(changes)).rejects.toThrow(told)
  })

  it('a coordinator keeps an open run as it is, paused, and says what is missing', async () => {
    const store = createMemoryStore()
    let runId: string
    {
      await using before = await testCoordinator({}, { openStore: async () => store })
      runId = (await before.createRun()).runId
    }
    const run = (await store.runs.find(runId))!
    Object.assign(run.manifest, { method: 'fedsvd-truncated' })
    await using coordinator = await testCoordinator({}, { openStore: async () => store })
    const { alerts, manifest } = await coordinator.seen(runId, 'a paused run', ({ state }) => state === 'paused')
    expect(manifest.method).toBe('fedsvd-truncated')
    expect(alerts.map(({ code, message }) => `${code}: ${message}`).join()).toMatch(
      /CONFIG_INVALID.*fedsvd-truncated.*load the extension that defines it with --extension/,
    )
  })

  it('a site declines, and names it', async () => {
    await using coordinator = await testCoordinator()
    const manifest = await coordinator.createRun()
    const offer = { manifest: { ...manifest, method: 'fedsvd-truncated' } }
    expect(() => parseMessage(offerSchema, offer, 'an offer')).toThrow(
      /MESSAGE_INVALID: expected an offer with a valid manifest\.method, got fedsvd-truncated.*no method known here/,
    )
    await loadExtensions([TRUNCATED])
    expect(parseMessage(offerSchema, offer, 'an offer').manifest.method).toBe('fedsvd-truncated')
  })
})

describe('a method of an extension', () => {
  it('makes states in the thread of the re-factorisation too, which loads it by itself', async () => {
    const adapter = {
      ...tinyRequest().adapter,
      headMode: 'frozen' as const,
      layers: [{ name: 'layer', dIn: 8, dOut: 6 }],
      head: [],
    }
    const manifest = { runId: '6f1c2f38-51f5-4a51-9d2c-0a4b5f6f7a11', method: 'fedsvd-truncated', adapter }
    const schemaHash = schemaHashOf(adapter)
    const frame = encodeState(manifest, schemaHash, initialState(adapter, { seed: 'thread' }))
    const mean = trainedSpecs(adapter).map((spec) => ({ ...spec, data: new Float32Array(sizeOf(spec.shape)).fill(1) }))
    const round = { manifest, schemaHash, basis: 0, frame, mean }
    await using refactoriser = await openRefactoriser({ svdDevice: 'cpu', threads: 1, extension: [TRUNCATED] })
    expect(await refactoriser.step(round)).toMatchObject({ basis: 1, report: { device: 'onnxruntime-cpu' } })
    await using without = await openRefactoriser({ svdDevice: 'cpu', threads: 1 })
    await expect(without.step(round)).rejects.toThrow(/CONFIG_INVALID.*fedsvd-truncated/)
  })
})
