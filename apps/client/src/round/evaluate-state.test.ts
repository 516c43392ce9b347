import { initialState } from '@fedsvd/core/lora'
import { reservationFrom } from '@fedsvd/core/privacy'
import { layoutOf, type RunManifest } from '@fedsvd/core/protocol'
import { seededSource } from '@fedsvd/core/random'
import { countsOf, eventOfEvaluation } from '@fedsvd/core/site-evaluation'
import { type EncodedRecord, IGNORED, recordsInMemory } from '@fedsvd/engine/datasets'
import type { TokenEngine, TrainingEngine } from '@fedsvd/engine/training'
import { sampleManifest } from '@fedsvd/testing/client/sample-run'
import { describe, expect, it } from 'vitest'
import { evaluateState } from './evaluate-state.ts'

const siteEvaluation = { share: 0.2, every: 1, noiseMultiplier: 0.01 } // next to no noise, so that counts can be read
const unused = (): never => {
  throw new Error('not for evaluations')
}

async function outcomes(manifest: RunManifest, engine: object, records: EncodedRecord[], groups?: number[][]) {
  const event = eventOfEvaluation({ ...manifest, siteEvaluation })
  const place = { runId: manifest.runId, round: 1, attempt: 1, datasetFingerprint: 'data', entryHash: 'hash' }
  const { values } = await evaluateState(
    {
      engine: { schema: manifest.adapter, verify: async () => {}, clippedLotSum: unused, ...engine } as never,
      manifest,
      setAside: recordsInMemory(records, groups),
      reservation: reservationFrom({ ...place, event, durable: true }),
      source: seededSource('noise'),
      signal: new AbortController().signal,
      rest: async () => {},
    },
    initialState(manifest.adapter, { seed: 'state' }),
  )
  return countsOf(layoutOf(manifest), values).outcomes.map((count) => Math.round(10 * count) / 10 + 0)
}

/** Says of each record the class that its first token names; fails on a batch with the token 9. */
const classifier: Pick<TrainingEngine, 'logits'> = {
  logits: async (records) => {
    if (records.some(({ tokenIds }) => tokenIds[0] === 9)) throw new Error('broken')
    return Float32Array.from(records.flatMap(({ tokenIds }) => (tokenIds[0] === 1 ? [0, 5] : [5, 0])))
  },
}
const said = (token: number, label: number): EncodedRecord => ({ tokenIds: Int32Array.of(token), label })

describe('an evaluation of a state', () => {
  const manifest = sampleManifest({ siteEvaluation })

  it('counts each record by its class and the predicted one; one that the engine fails on counts for none', async () => {
    const records = [said(0, 0), said(0, 0), said(1, 0), said(9, 0), said(1, 1)]
    expect(await outcomes(manifest, classifier, records)).toEqual([2, 1, 0, 1])
    expect(await outcomes(manifest, classifier, [])).toEqual([0, 0, 0, 0])
  })

  it('counts each person once, and a person with a record that fails for none', async () => {
    const records = [said(0, 0), said(1, 0), said(1, 1), said(0, 0), said(9, 0)]
    const persons = [[0, 1], [2], [3, 4]]
    const run = { ...manifest, unit: { kind: 'person', maxRecords: 2, combine: 'mean' } } as const
    expect(await outcomes(run, classifier, records, persons)).toEqual([0.5, 0.5, 0, 1])
  })

  it('counts the share of targets that were right, where tokens are predicted', async () => {
    const scores: Pick<TokenEngine, 'scores'> = {
      scores: async (records) => records.map(() => ({ losses: Float32Array.of(1, 1), predicted: Int32Array.of(7, 8) })),
    }
    const run = { ...manifest, task: 'causal-lm', labels: [] } as const
    const text = { tokenIds: Int32Array.of(1, 7, 9), targets: Int32Array.of(7, 9, IGNORED) }
    expect(await outcomes({ ...run, labels: [] }, scores, [text, text, text])).toEqual([1.5, 1.5])
  })

  it('fails where the engine fails on a record of nobody as well', async () => {
    const broken = { logits: async () => Promise.reject(new Error('no device')) }
    await expect(outcomes(manifest, broken, [said(0, 0)])).rejects.toThrow('no device')
  })
})
