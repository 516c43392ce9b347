import type { OfferReply, RunManifest } from '@fedsvd/core/protocol'
import { memoryBlobs, tinyModels, tinyRequest } from '@fedsvd/testing/server'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { createEvents } from '../events.ts'
import { TOKEN_HOLDER, uploadTokens } from '../identity/index.ts'
import { singleNodeOwnership } from '../ownership/index.ts'
import { systemClock } from '../platform/index.ts'
import { type EpsilonBounds, epsilonBounds, notExtended } from '../privacy/index.ts'
import { createMemoryStore } from '../storage/records/memory/index.ts'
import { createMetrics } from '../telemetry/index.ts'
import { createRuns } from './create-runs.ts'
import { MOST_OF_A_KIND } from './run-alerts.ts'

const metrics = createMetrics()
const CLIENT = '00000000-0000-4000-8000-000000000001'

/** Runs whose only client is told what it answers to each offer. */
function runsWith({
  offered = () => ({ accepted: false, error: { code: 'UNEXPECTED', expected: '', got: '', remedy: '' } }),
  bounds = epsilonBounds(),
  owns = true,
}: {
  offered?: (manifest: RunManifest) => OfferReply
  bounds?: EpsilonBounds
  owns?: boolean
}) {
  const store = createMemoryStore()
  const runs = createRuns({
    store,
    blobs: memoryBlobs(),
    gateway: {
      offer: async (_, { manifest }) => offered(manifest),
      invite: async () => ({ accepted: true }),
      roundClosed: () => {},
      runPaused: () => {},
      runEnded: () => {},
    },
    clock: systemClock,
    log: pino({ level: 'silent' }),
    metrics,
    bounds,
    tokens: uploadTokens(Buffer.from('secret')),
    models: tinyModels,
    gatherMs: 0,
    evaluatorFor: async () => undefined,
    events: createEvents(),
    ownership: { ...singleNodeOwnership(store), take: async () => owns },
  })
  return { store, runs }
}

describe('a client that comes back before its terms have a verdict', () => {
  it('has no more of them looked at than one that waits', async () => {
    let stated = 0
    let asked = 0
    const never = new Promise<never>(() => {})
    const bounds: EpsilonBounds = {
      ...epsilonBounds(),
      of: () => bounds,
      fits: () => {
        asked += 1
        return never
      },
    }
    const { runs } = runsWith({
      offered: ({ target, expectedLotSize }) => {
        stated += 1
        const declaredRecords = 100 + stated
        const sampleRate = expectedLotSize / declaredRecords
        return { accepted: true, terms: { declaredRecords, sampleRate, noiseMultiplier: 2, budget: target } }
      },
      bounds,
    })
    await runs.commands.create(tinyRequest({ clientsPerRound: 1, quorum: 1 }), TOKEN_HOLDER)
    for (let count = 0; count < 100; count += 1) {
      const connection = new AbortController()
      runs.connectedClients.arrived(CLIENT, connection.signal, 'here')
      await new Promise((resolve) => setImmediate(resolve)) // it has answered by now
      connection.abort()
    }
    expect(asked).toBe(20)
    await runs[Symbol.asyncDispose]()
  })
})

describe('a client that shakes hands with one false ledger after the other', () => {
  it('fills no database, also where another coordinator owns its run', async () => {
    const { store, runs } = runsWith({ owns: false })
    const { runId, target } = await runs.commands.create(tinyRequest({}), TOKEN_HOLDER)
    const terms = { declaredRecords: 100, sampleRate: 0.1, noiseMultiplier: 2, budget: target }
    await store.participants.join({ runId, clientId: CLIENT, terms, joinedAt: 0 })
    for (let length = 0; length < 3 * MOST_OF_A_KIND; length += 1) {
      const error = notExtended({ length: 1000, head: '0'.repeat(64) }, `one of ${length} entries`)
      await runs.reports.alertAbout(CLIENT, error)
    }
    expect(await store.alerts.list(runId, 1000)).toHaveLength(MOST_OF_A_KIND)
  })
})
