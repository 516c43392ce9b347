import { recordsInMemory } from '@fedsvd/engine/datasets'
import { fakeEngine } from '@fedsvd/testing/client/fake-engine'
import { tinyModels, tinyRequest } from '@fedsvd/testing/server'
import { describe, expect, it } from 'vitest'
import { type CellSetup, runCell } from './run-cell.ts'

const request = tinyRequest({ rounds: 2, clientsPerRound: 3, target: { epsilon: 8, delta: 1e-3 } })

function cell(changes: Partial<CellSetup> = {}): CellSetup {
  const records = (label: number) =>
    recordsInMemory(Array.from({ length: 20 }, () => ({ tokenIds: Int32Array.of(1), label })))
  return {
    request,
    seed: 'one',
    sites: ['a', 'b', 'c'].map((name, index) => ({ name, declaredRecords: 20, records: records(index % 2) })),
    models: tinyModels,
    evaluatorFor: async () => {
      let evaluated = 0
      return {
        baseline: { majority: 0.5, records: 4 },
        // a number that every bit of the state decides
        evaluate: async ({ b, head }) => {
          evaluated += 1
          const sum = [...b, ...head]
            .flatMap(({ data }) => [...data])
            .reduce((all, value, at) => all + value * (at + 1))
          return { accuracy: evaluated / 10, loss: sum, records: 4 }
        },
        [Symbol.asyncDispose]: async () => {},
      }
    },
    engineFor: async ({ adapter }) => fakeEngine(adapter),
    ...changes,
  }
}

const lossesOf = async (changes?: Partial<CellSetup>) => (await runCell(cell(changes))).rounds.map(({ loss }) => loss)

describe('a simulated federation', () => {
  it('runs the rounds of a live one, and says what each came to', async () => {
    const updates: number[] = []
    const { rounds, majority, declined } = await runCell(cell({ onUpdate: (count) => updates.push(count) }))
    expect(rounds.map(({ round, accuracy, sites }) => ({ round, accuracy, sites }))).toEqual([
      { round: 1, accuracy: 0.1, sites: 3 },
      { round: 2, accuracy: 0.2, sites: 3 },
    ])
    expect({ majority, declined }).toEqual({ majority: 0.5, declined: 0 })
    expect(updates).toEqual([1, 2, 3, 4, 5, 6])
    const [first, second] = rounds.map(({ epsilon }) => epsilon)
    expect(first).toBeGreaterThan(0)
    expect(second).toBeGreaterThan(first!)
    expect(second).toBeLessThanOrEqual(8)
  })

  it('comes to the same bits under the same seed, and to others under another', async () => {
    const [once, again, other] = [await lossesOf(), await lossesOf(), await lossesOf({ seed: 'two' })]
    expect(again).toEqual(once)
    expect(other).not.toEqual(once)
  })

  it('ends with the reason where too few sites can take part', async () => {
    const few = cell().sites.map((site) => ({ ...site, declaredRecords: 5 }))
    await expect(runCell(cell({ sites: few }))).rejects.toThrow(/CONFIG_INVALID.*at least 10 declared records/)
  })

  it('ends with what a site fails with', async () => {
    const engineFor = async () => {
      throw new TypeError('no engine')
    }
    await expect(runCell(cell({ engineFor }))).rejects.toThrow(/no engine/)
  })

  it('stops when it is interrupted', async () => {
    await expect(runCell(cell({ signal: AbortSignal.abort(new Error('enough')) }))).rejects.toThrow('enough')
  })
})
