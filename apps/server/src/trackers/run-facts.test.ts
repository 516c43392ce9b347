import { randomUUID } from 'node:crypto'
import { trackedRun } from '@fedsvd/testing/server/tracked-run'
import { describe, expect, it } from 'vitest'
import { epsilonBounds } from '../privacy/index.ts'
import { createMemoryStore } from '../storage/records/memory/index.ts'
import { parametersOf } from './parameters.ts'
import { factsOf } from './run-facts.ts'

describe('what trackers are told of a run', () => {
  it('is no epsilon where its random numbers were not secure', async () => {
    const store = createMemoryStore()
    const { manifest } = trackedRun().facts()
    const { runId } = manifest
    const initial = { runId, number: 0, basis: 0, sha256: 'a', bytes: 1, publishedAt: 0 }
    await store.runs.create({ manifest, state: 'running', createdAt: 1 }, initial)
    const clientId = randomUUID()
    const budget = { epsilon: 8, delta: 1e-5 }
    const terms = { declaredRecords: 100, sampleRate: 0.1, noiseMultiplier: 1, budget }
    await store.participants.join({ runId, clientId, terms, joinedAt: 1 })
    await store.ledger.setAhead(runId, clientId, 2)
    const event = { mechanism: 'poisson-subsampled-gaussian', sampleRate: 0.1, noiseMultiplier: 1, steps: 2 } as const
    const fact = { runId, round: 0, clientId, attempt: 1, source: 'client', voided: false, recordedAt: 1 } as const
    const whole = { ...event, clipNorm: 1, relation: 'add-or-remove-one', unit: 'record' } as const
    await store.ledger.adopt([{ ...fact, event: whole }])
    const facts = async () => (await factsOf(runId, { store, bounds: epsilonBounds() }))!
    const [spent] = await (await facts()).epsilonAfter(0)
    expect(spent!.epsilon).toBeGreaterThan(0)
    expect(parametersOf(await facts()).has('notPrivate')).toBe(false)
    await store.alerts.add({ runId, code: 'NOISE_INVALID', message: 'of a pseudo-random generator', at: 2 })
    expect(await (await facts()).epsilonAfter(0)).toEqual([])
    expect(parametersOf(await facts()).get('notPrivate')).toBe('true')
    expect(await factsOf(randomUUID(), { store, bounds: epsilonBounds() })).toBeUndefined()
  })
})
