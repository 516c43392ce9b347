import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { initialState } from '@fedsvd/core/lora'
import { exportModel } from '@fedsvd/engine/export'
import type { TrainingEngine } from '@fedsvd/engine/training'
import { decodeSafetensors } from '@fedsvd/engine/weights/safetensors'
import { asIfTrained, factsOfRun } from '@fedsvd/testing/engine/trained-run'
import { expect, it } from 'vitest'
import { starterModel } from './model.ts'

const RECORDS = [
  { tokenIds: Int32Array.of(11, 402, 97, 6001), label: 0 },
  { tokenIds: Int32Array.of(5, 77), label: 0 },
]

it('a merged starter has the logits of the adapted one, and needs no adapter', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fedsvd-starter-'))
  try {
    const labels = ['a', 'b']
    const terms = { rank: 2, alpha: 4, headMode: 'trained' } as const
    const adapter = await starterModel.adapterSchema({ adapter: terms, classes: 2 })
    const untrained = initialState(adapter, { seed: 'merged' })
    const state = asIfTrained(untrained)
    await exportModel({
      format: 'merged',
      folder,
      base: { kind: 'code', model: starterModel },
      trained: { schema: adapter, state, labels, featureScale: 10, maxTokens: 32 },
      facts: factsOfRun('starter'),
    })
    const { tensors } = decodeSafetensors(await readFile(join(folder, 'model.safetensors')))
    const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]))
    const head = untrained.head.map(({ name }) => byName.get(name)!)
    const model = { name: 'starter', maxTokens: 32 }
    const { portable } = starterModel
    await using adapted = (await starterModel.createEngine(
      { model: { ...model, featureScale: 10 }, labels, adapter },
      { threads: 1 },
    )) as TrainingEngine
    await using merged = (await portable!.createEngine(
      { model, labels, adapter },
      { threads: 1 },
      byName,
    )) as TrainingEngine
    const expected = await adapted.logits(RECORDS, state)
    const actual = await merged.logits(RECORDS, { ...untrained, head })
    const base = await adapted.logits(RECORDS, { ...untrained, head: state.head })
    for (const [at, logit] of expected.entries()) expect(actual[at]).toBeCloseTo(logit, 3)
    expect(Math.abs(base[0]! - expected[0]!), 'the adapters do something').toBeGreaterThan(1e-2)
  } finally {
    await rm(folder, { recursive: true })
  }
})
