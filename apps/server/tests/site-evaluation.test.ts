import { describe, expect, it } from 'vitest'
import { calibrateNoiseMultiplier, pld } from '../../../packages/core/src/accounting/index.ts'
import { evaluationLayout, vectorOfUnit } from '../../../packages/core/src/site-evaluation/index.ts'
import { testCoordinator } from '../../../packages/testing/src/server/index.ts'

const layout = evaluationLayout({ task: 'sequence-classification', labels: ['ham', 'spam'] })

/** Counts without noise: `right` of 100 records, all of them ham. */
function countsOf(right: number): Float32Array {
  const sum = new Float32Array(layout.cells)
  for (let at = 0; at < 100; at++) {
    const vector = vectorOfUnit(layout, [{ target: 0, predicted: at < right ? 0 : 1, confidence: 0.9, loss: 0.1 }])
    for (const [cell, value] of vector.entries()) sum[cell]! += value
  }
  return sum
}

const siteEvaluation = { share: 0.2, every: 1, noiseMultiplier: 0.5 }

describe('a run that is evaluated at its sites', () => {
  it('shows what they counted of each state, together and by site, and the best one; without any public hold-out', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ siteEvaluation, clientsPerRound: 2, quorum: 2, rounds: 4 })
    // round 1 measures the state of round 0, and so on
    const good = await coordinator.client('good', { evaluation: (round) => countsOf([0, 80, 90, 70][round]!) })
    const poor = await coordinator.client('poor', {
      evaluation: (round) => (round === 0 ? undefined : countsOf([0, 40, 60, 50][round]!)),
    })
    await Promise.all([good.connect(), poor.connect()])
    const snapshot = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    const figures = snapshot.rounds.map(({ siteEvaluation: of }) => of && { units: of.units, accuracy: of.accuracy })
    expect(figures).toEqual([
      { units: 200, accuracy: 0.6 },
      { units: 200, accuracy: 0.75 },
      { units: 200, accuracy: 0.6 },
      undefined, // no round behind the last one measures its state
    ])
    const second = snapshot.rounds[1]!.siteEvaluation!
    expect(second.sites.map(({ name, accuracy }) => [name, accuracy]).sort()).toEqual([
      ['good', 0.9],
      ['poor', 0.6],
    ])
    expect(second).toMatchObject({ majority: 1, classes: [{ units: 200, right: 150 }, { units: 0 }] })
    expect(second.interval.low).toBeLessThan(0.75)
    expect(second.interval.high).toBeGreaterThan(0.75)
    expect(snapshot.best).toEqual({ round: 1, accuracy: 0.75, measuredBy: 'sites' })
  })

  it('ends when its sites have found nothing better for as long as it has patience', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({
      siteEvaluation: { ...siteEvaluation, patience: 2 },
      clientsPerRound: 1,
      quorum: 1,
      rounds: 9,
    })
    const client = await coordinator.client('site', {
      evaluation: (round) => (round === 0 ? undefined : countsOf([0, 80, 79, 80, 99][round]!)),
    })
    await client.connect()
    const snapshot = await coordinator.seen(runId, 'the end', ({ endedAt }) => endedAt !== undefined)
    expect(snapshot).toMatchObject({
      state: 'completed',
      roundsDone: 4,
      reason: 'no better state in 2 evaluations at the sites',
      best: { round: 0, accuracy: 0.8 },
    })
  })

  it('leaves out counts that no site can have, and those of sites that have none', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ siteEvaluation, clientsPerRound: 3, quorum: 3, rounds: 2 })
    await Promise.all(
      [
        await coordinator.client('honest', { evaluation: () => countsOf(70) }),
        await coordinator.client('liar', { evaluation: () => countsOf(70).map((count) => count * 1e6) }),
        await coordinator.client('silent'),
      ].map((client) => client.connect()),
    )
    const snapshot = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(snapshot.rounds[0]!.siteEvaluation!.sites.map(({ name }) => name)).toEqual(['honest'])
  })

  it('has noise with which all evaluations cost half of the target, where the request names none', async () => {
    await using coordinator = await testCoordinator()
    const changes = { siteEvaluation: { share: 0.1, every: 2 }, rounds: 7 }
    const manifest = await coordinator.createRun(changes)
    const { epsilon, delta } = manifest.target
    const steps = 4 // of rounds 2, 4 and 6, and a spare one
    const expected = calibrateNoiseMultiplier({ accountant: pld, sampleRate: 1, steps, epsilon: epsilon / 2, delta })
    expect(manifest.siteEvaluation).toEqual({ ...changes.siteEvaluation, noiseMultiplier: expected })
    await expect(coordinator.createRun({ ...changes, rounds: 1 })).rejects.toThrow(/CONFIG_INVALID.*at least 2 rounds/)
    const clientLevel = { clipNorm: 0.1, noiseMultiplier: 3, budget: { epsilon: 8, delta: 1e-5 } }
    await expect(coordinator.createRun({ siteEvaluation, clientLevel })).rejects.toThrow(
      /CONFIG_INVALID.*or clientLevel/,
    )
    const mode = { name: 'buffered', bufferSize: 3, stalenessExponent: 0.5 } as const
    await expect(coordinator.createRun({ siteEvaluation, mode })).rejects.toThrow(
      /CONFIG_INVALID.*beside mode buffered/,
    )
    await expect(coordinator.createRun({ siteEvaluation: { share: 0.9, every: 1 } })).rejects.toThrow(/MESSAGE_INVALID/)
  })
})
