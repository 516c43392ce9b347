import { describe, expect, it } from 'vitest'
import { pld } from '../../../packages/core/src/accounting/index.ts'
import { canonicalSchema, initialState, trainedSpecs, trainedTensors } from '../../../packages/core/src/lora/index.ts'
import { beginClippedSum, gridOf } from '../../../packages/core/src/privacy/index.ts'
import { decodeState, readFrameBasis } from '../../../packages/core/src/protocol/index.ts'
import {
  hexSha256,
  sha256,
  testCoordinator,
  trainAndUpload,
  until,
} from '../../../packages/testing/src/server/index.ts'

const epsilonOf = (draws: number, noiseMultiplier: number) =>
  draws === 0 ? 0 : pld.epsilonUpperBound([{ sampleRate: 1, noiseMultiplier, steps: draws }], 1e-5)

describe('a run with client-level privacy', () => {
  it('never invites a client beyond its client-level budget, and shows both epsilons for what they are', async () => {
    await using coordinator = await testCoordinator()
    const clientLevel = { clipNorm: 0.1, noiseMultiplier: 3, budget: { epsilon: epsilonOf(2, 3), delta: 1e-5 } }
    const { runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 2, rounds: 5, clientLevel })
    const clients = await Promise.all(['a', 'b'].map((name) => coordinator.client(name)))
    await Promise.all(clients.map((client) => client.connect()))
    const snapshot = await coordinator.seen(runId, 'the end', ({ endedAt }) => endedAt !== undefined)
    expect(snapshot.state).toBe('completed')
    expect(snapshot.reason).toBe(
      'too few clients with budget left: round 3 needs 2, 0 can pay for it; the run ends with 2 of 5 rounds',
    )
    for (const client of clients) expect(client.invitations.map(({ round }) => round)).toEqual([0, 1])
    for (const shown of snapshot.clients) {
      expect(shown).toMatchObject({ steps: 4, exhausted: false, unit: 'record' })
      expect(shown.adversary).toMatch(/the coordinator included/)
      expect(shown.clientLevel).toEqual({
        draws: 2,
        epsilonUpperBound: epsilonOf(2, 3),
        delta: 1e-5,
        budget: epsilonOf(2, 3),
        exhausted: true,
        unit: 'client',
        adversary: 'everyone except the coordinator, which is trusted to add the noise',
      })
    }
  })

  it('charges the clients that took part and no others: one that did not deliver has spent nothing at this level', async () => {
    await using coordinator = await testCoordinator()
    const clientLevel = { clipNorm: 0.1, noiseMultiplier: 3, budget: { epsilon: 8, delta: 1e-5 } }
    const settings = { clientsPerRound: 2, quorum: 1, rounds: 1, deadlineSeconds: 0.5, clientLevel }
    const { runId } = await coordinator.createRun(settings)
    const [present, silent] = [
      await coordinator.client('present'),
      await coordinator.client('silent', { train: async () => {} }),
    ]
    await Promise.all([present.connect(), silent.connect()])
    const { clients } = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    const drawsOf = (wanted: string) => clients.find(({ name }) => name === wanted)!.clientLevel!.draws
    expect([drawsOf('present'), drawsOf('silent')]).toEqual([1, 0])
  })

  it('moves the model by the clipped deltas over the public constant, weights equal, however many answered', async () => {
    await using coordinator = await testCoordinator()
    const clientLevel = { clipNorm: 0.05, noiseMultiplier: 0.04, budget: { epsilon: 900, delta: 1e-5 } }
    const manifest = await coordinator.createRun({
      method: 'ffa-lora',
      clientsPerRound: 3,
      quorum: 2,
      rounds: 1,
      deadlineSeconds: 0.5,
      clientLevel,
    })
    const { runId, adapter, seed } = manifest
    const clients = await Promise.all(['small', 'large'].map((name) => coordinator.client(name)))
    await Promise.all(clients.map((client) => client.connect()))
    const { rounds } = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(rounds[0]!.clients).toHaveLength(2)

    const frame = await fetch(`${coordinator.url}/v1/runs/${runId}/adapter`, {
      headers: { authorization: `Bearer ${coordinator.operatorToken}` },
    })
    const bytes = new Uint8Array(await frame.arrayBuffer())
    const schemaHash = hexSha256(Buffer.from(canonicalSchema(adapter)))
    const state = decodeState({ runId, schemaHash, adapter, basis: readFrameBasis(bytes) }, bytes, sha256)
    const before = trainedTensors(adapter, initialState(adapter, { seed }))
    const clipped = clients.map((client) => {
      const sum = beginClippedSum({ specs: trainedSpecs(adapter), clipNorm: 0.05 })
      sum.add(client.delta(runId, 0).map(({ data }) => data))
      return sum.finish().gridSum
    })
    const offBy = (divisor: number) =>
      Math.hypot(
        ...trainedTensors(adapter, state).flatMap(({ data }, t) =>
          Array.from(data, (value, i) => {
            const sum = clipped.reduce((total, tensors) => total + tensors[t]![i]!, 0) * gridOf(0.05)
            return value - before[t]!.data[i]! - sum / divisor
          }),
        ),
      )
    const noiseNorm = ((0.04 * 0.05) / 3) * Math.sqrt(18) // one draw, sigma = z S / 3 in each of 18 coordinates
    expect(offBy(3)).toBeLessThan(2.2 * noiseNorm)
    expect(offBy(3)).toBeGreaterThan(0.3 * noiseNorm)
    expect(offBy(2)).toBeGreaterThan(2.2 * noiseNorm)
  })

  it('finds the noise for a budget when none is asked for', async () => {
    await using coordinator = await testCoordinator()
    const clientLevel = { clipNorm: 0.1, budget: { epsilon: 8, delta: 1e-5 } }
    const manifest = await coordinator.createRun({ rounds: 7, clientLevel })
    const epsilon = epsilonOf(7, manifest.clientLevel!.noiseMultiplier)
    expect(epsilon).toBeLessThanOrEqual(8)
    expect(epsilon).toBeGreaterThan(0.99 * 8)
  })

  it.each([
    ['DELTA_TOO_LARGE', { clipNorm: 0.1, noiseMultiplier: 3, budget: { epsilon: 8, delta: 0.5 } }],
    ['BUDGET_TOO_SMALL', { clipNorm: 0.1, noiseMultiplier: 0.5, budget: { epsilon: 1, delta: 1e-5 } }],
    ['MESSAGE_INVALID', { clipNorm: 0, noiseMultiplier: 0.5, budget: { epsilon: 1, delta: 1e-5 } }],
  ])('is refused with %s when its terms cannot hold, and costs nothing', async (code, clientLevel) => {
    await using coordinator = await testCoordinator()
    await expect(coordinator.createRun({ clientLevel })).rejects.toMatchObject({ code })
    expect(await coordinator.store.runs.list()).toEqual([])
  })

  it("takes no client-level facts from a client: that ledger is the coordinator's own", async () => {
    await using coordinator = await testCoordinator()
    const clientLevel = { clipNorm: 0.1, noiseMultiplier: 3, budget: { epsilon: 8, delta: 1e-5 } }
    const manifest = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1, clientLevel })
    const { runId } = manifest
    let reply: unknown
    const client = await coordinator.client('site', {
      async train(self, invitation) {
        const { sampleRate, noiseMultiplier } = self.termsFor(manifest)
        const mechanism = 'poisson-subsampled-gaussian' as const
        const relation = 'add-or-remove-one' as const
        const event = {
          mechanism,
          sampleRate,
          noiseMultiplier,
          steps: 2,
          clipNorm: 1,
          relation,
          unit: 'client' as const,
        }
        reply = await self.report({ runId, reservations: [{ round: 0, attempt: 1, event }] })
        await trainAndUpload(self, invitation)
      },
    })
    await client.connect()
    await until('the reply', () => reply !== undefined)
    expect(reply).toMatchObject({ agrees: false, error: { code: 'MESSAGE_INVALID' } })
    const { clients } = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(clients[0]!.clientLevel!.draws).toBe(1)
  })
})
