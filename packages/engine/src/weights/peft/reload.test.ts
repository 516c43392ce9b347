import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { initialState } from '@fedsvd/core/lora'
import { createStarterEngine } from '@fedsvd/starter'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readAdapter, writeAdapter } from './adapter.ts'

const terms = { rank: 2, alpha: 4, headMode: 'trained', classes: 2, threads: 1 } as const
const records = [
  { tokenIds: Int32Array.of(11, 402, 97, 6001), label: 0 },
  { tokenIds: Int32Array.of(5, 77), label: 1 },
]

describe('an exported adapter', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fedsvd-reload-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('gives the logits of the trained one to whoever knows nothing of its feature scale', async () => {
    await using trained = await createStarterEngine({ ...terms, featureScale: 10 })
    await using plain = await createStarterEngine(terms)
    const state = initialState(trained.schema, { seed: 'reload' })
    for (const { data } of [...state.b, ...state.head]) data.set(data.map((_, index) => 0.05 * Math.sin(index)))
    await writeAdapter(folder, state, {
      schema: trained.schema,
      baseModel: 'starter',
      labels: ['a', 'b'],
      featureScale: 10,
    })
    const reloaded = await readAdapter(folder, plain.schema)

    const expected = await trained.logits(records, state)
    const actual = await plain.logits(records, reloaded)
    for (const [index, logit] of actual.entries()) expect(logit).toBeCloseTo(expected[index]!, 4)
    const base = await plain.logits(records, initialState(plain.schema, { seed: 'reload' }))
    for (const [index, logit] of actual.entries()) expect(Math.abs(logit - base[index]!)).toBeGreaterThan(1e-3)
  })
})
