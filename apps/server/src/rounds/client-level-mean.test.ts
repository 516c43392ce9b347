import { eventOfClientLevelRound } from '@fedsvd/core/accounting'
import { reservationFrom } from '@fedsvd/core/privacy'
import { type RandomSource, seededSource } from '@fedsvd/core/random'
import { osRandomness } from '@fedsvd/engine/crypto'
import { tinyModel, tinyRequest } from '@fedsvd/testing/server'
import { describe, expect, it } from 'vitest'
import { clientLevelMean } from './client-level-mean.ts'
import { RunOver } from './context.ts'

const TERMS = { clipNorm: 0.1, noiseMultiplier: 2, budget: { epsilon: 8, delta: 1e-5 } }
const request = tinyRequest()
const adapter = await tinyModel.adapterSchema({ adapter: request.adapter, classes: 2 })

/** A closed round in which `delivered` have delivered, at a coordinator whose ledger lets `paying` pay. */
function round(delivered: readonly string[], paying: readonly string[] | undefined, source: RandomSource) {
  const read: string[] = []
  const place = { runId: 'run', round: 0, attempt: 1, datasetFingerprint: 'clients', entryHash: 'hash', durable: true }
  const run = {
    settings: { manifest: { ...request, adapter, runId: 'run' }, plan: request, schemaHash: 'hash' },
    mechanism: {
      noiseSource: () => source,
      central: {
        reserve: async () =>
          paying && {
            clients: paying,
            reservation: reservationFrom({ ...place, event: eventOfClientLevelRound(TERMS) }),
          },
      },
    },
    storage: {
      blobs: {
        async read(sha256: string) {
          read.push(sha256)
          throw new Error('no such file')
        },
      },
    },
  }
  const plan = { quorum: request.quorum, clientsPerRound: request.clientsPerRound, deadlineSeconds: 1 }
  const tasks = delivered.map((clientId) => ({ clientId, state: 'delivered', update: { sha256: clientId } }))
  const context = { run, round: 0, base: { basis: 0 }, journal: { progress: { tasks, plan } } }
  return { read, mean: () => clientLevelMean(context as never, TERMS) }
}

describe('the noised mean of a round', () => {
  it('is noise alone where no client delivered, and is made with the randomness of the operating system only', async () => {
    const { mean } = await round([], [], osRandomness).mean()
    expect(mean.every(({ data }) => data.every((value) => value !== 0 && Number.isFinite(value)))).toBe(true)
    await expect(round([], [], seededSource('noise')).mean()).rejects.toThrow('NOISE_INVALID')
  })

  it('does not so much as read the update of a client that has not paid', async () => {
    const { read, mean } = round(['poor', 'rich'], ['rich'], osRandomness)
    await expect(mean()).rejects.toThrow('no such file')
    expect(read).toEqual(['rich'])
  })

  it('ends the run, and draws nothing, when too few can pay', async () => {
    let drawn = 0
    const counting: RandomSource = {
      kind: 'os-csprng',
      fill(bytes) {
        drawn += 1
        osRandomness.fill(bytes)
      },
    }
    await round([], [], counting).mean()
    expect(drawn).toBeGreaterThan(0)
    drawn = 0
    await expect(round(['a', 'b'], undefined, counting).mean()).rejects.toThrow(RunOver)
    expect(drawn).toBe(0)
  })
})
