import { pld } from '@fedsvd/core/accounting'
import {
  type CrashRecovery,
  callsOfAWholeRun,
  crashAndRecover,
  faultsOf,
  lostOrTwice,
  ROUNDS,
} from '@fedsvd/testing/server'
import { describe, expect, it } from 'vitest'

/** A sweep is a hundred crash recoveries, and machines are busy. */
const SWEEP = { timeout: 300_000 }

describe('a coordinator that dies at any of its awaits', async () => {
  const calls = await callsOfAWholeRun()

  it('makes enough calls for this to mean something', () => {
    expect(calls).toBeGreaterThan(40)
  })

  it.each([
    ['before the call has its effect', 'before'],
    ['after the call has had its effect', 'after'],
  ] as const)('finishes the same run with each update counted once, %s', SWEEP, async (_, when) => {
    const faults: string[] = []
    // The last few calls come after the run has ended.
    for (let atCall = 1; atCall <= calls - 4; atCall += 1) {
      const found = faultsOf(await crashAndRecover({ atCall, when }))
      faults.push(...found.map((fault) => `killed ${when} call ${atCall}: ${fault}`))
    }
    expect(faults).toEqual([])
  })
})

describe('a coordinator that adds noise of its own and dies at any of its awaits', async () => {
  const adaptiveClipping = { quantile: 0.5, learningRate: 0.2, countShare: 0.1 }
  const clientLevel = { clipNorm: 0.1, noiseMultiplier: 2, budget: { epsilon: 20, delta: 1e-5 }, adaptiveClipping }
  const calls = await callsOfAWholeRun({ clientLevel })

  it.each([
    ['before the call has its effect', 'before'],
    ['after the call has had its effect', 'after'],
  ] as const)('has paid for every draw, and publishes one per round, %s', SWEEP, async (_, when) => {
    const faults: string[] = []
    const extra: number[] = []
    for (let atCall = 1; atCall <= calls - 4; atCall += 1) {
      const recovery = await crashAndRecover({ atCall, when }, { clientLevel })
      extra.push(recovery.payments.reduce((sum, paid) => sum + paid, 0) - ROUNDS)
      faults.push(...noiseFaultsOf(recovery).map((fault) => `killed ${when} call ${atCall}: ${fault}`))
    }
    expect(faults).toEqual([])
    expect(Math.max(...extra)).toBe(1) // some deaths fall between a payment and its result: they cost a second one
  })
})

describe.each([
  ['that counts late updates', { lateUpdates: 'rebase', clientsPerRound: 1, quorum: 1, overSelection: 2 }],
  ['that fills buffers', { mode: { name: 'buffered', bufferSize: 2, stalenessExponent: 0.5 }, clientsPerRound: 3 }],
] as const)('a coordinator %s and dies at any of its awaits', async (_, changes) => {
  const calls = await callsOfAWholeRun(changes)

  it('counts late updates at all', async () => {
    const { snapshot } = await crashAndRecover({ atCall: calls - 5, when: 'after' }, changes)
    expect(snapshot.rounds.flatMap(({ late = [] }) => late).length).toBeGreaterThan(0)
  })

  it.each(['before', 'after'] as const)('counts each update that it accepted exactly once, %s', SWEEP, async (when) => {
    const faults: string[] = []
    for (let atCall = 1; atCall <= calls - 4; atCall += 1) {
      const recovery = await crashAndRecover({ atCall, when }, changes)
      faults.push(
        ...[...faultsOf(recovery), ...lostOrTwice(recovery)].map((fault) => `killed ${when} call ${atCall}: ${fault}`),
      )
    }
    expect(faults).toEqual([])
  })
})

/** Where noise was had for nothing, or two noised means of one round were shown. */
function noiseFaultsOf({ left, rounds, snapshot, clients, payments, draws }: CrashRecovery): string[] {
  const faults: string[] = []
  const paid = payments.reduce((sum, count) => sum + count, 0)
  if (draws > paid) faults.push(`${draws} draws for ${paid} payments`)
  if (payments.some((count) => count === 0)) faults.push('a round was aggregated without payment')
  for (const { clientId, clientLevel } of snapshot.clients) {
    const expected = rounds
      .filter((progress) => progress!.tasks.some((task) => task.clientId === clientId))
      .reduce((sum, progress) => sum + payments[progress!.round]!, 0)
    if (clientLevel!.draws !== expected)
      faults.push(`${clientId} is charged ${clientLevel!.draws} of ${expected} draws`)
    const event = { sampleRate: 1, noiseMultiplier: 2, steps: expected }
    const epsilon = expected === 0 ? 0 : pld.epsilonUpperBound([event], 1e-5)
    if (clientLevel!.epsilonUpperBound !== epsilon) faults.push(`epsilon is ${clientLevel!.epsilonUpperBound}`)
  }
  for (const [round, before] of left.entries()) {
    const [was, is] = [before?.result?.sha256, rounds[round]!.result!.sha256]
    if (was !== undefined && was !== is) faults.push(`round ${round} has another result`)
    const seen = new Set(
      clients.flatMap(({ invitations }) =>
        invitations.filter((invitation) => invitation.round === round + 1).map(({ state }) => state.sha256),
      ),
    )
    if (seen.size > 1 || (seen.size === 1 && !seen.has(is))) faults.push(`clients saw two results of round ${round}`)
  }
  return faults
}
