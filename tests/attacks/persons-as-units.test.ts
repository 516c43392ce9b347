import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startClient } from '../../apps/client/src/index.ts'
import { type ClippedSum, GRID_BITS, squaredBound } from '../../packages/core/src/privacy/index.ts'
import type { RunManifest } from '../../packages/core/src/protocol/index.ts'
import { CoordinatorDouble } from '../../packages/testing/src/client/coordinator-double.ts'
import { fakeEngine } from '../../packages/testing/src/client/fake-engine.ts'
import { loopbackTransport } from '../../packages/testing/src/client/loopback-transport.ts'
import { sampleManifest } from '../../packages/testing/src/client/sample-run.ts'
import { letters, sampleSite } from '../../packages/testing/src/client/site.ts'
import { temporaryFolder } from '../../packages/testing/src/client/temporary-folder.ts'

/*
 * The attack: under the record unit, a person with k records moves a lot's sum by k times the bound, and the ledger
 * says what one record would cost. Carried out on a whole client whose every gradient has the length of the clip norm.
 */

const PERSONS = 40
/** Rows of the person that the attack is after. */
const ROWS = 60

/** A run in which every unit is in every lot, so that the sum shows who is there. */
const manifest: RunManifest = sampleManifest({
  unit: { kind: 'person', maxRecords: ROWS, combine: 'sum' },
  expectedLotSize: PERSONS,
  localSteps: 1,
  rounds: 1,
})

interface Seen {
  readonly gridSum: readonly Float64Array[]
  readonly records: number
  /** Kinds of the messages that left the site, in order. */
  readonly messages: readonly string[]
  readonly unitReported: string | undefined
}

/** One round of a site; what the mechanism is handed before the noise, and what leaves. */
async function roundOf(rows: readonly string[]): Promise<Seen> {
  using folder = temporaryFolder()
  const double = new CoordinatorDouble()
  const transport = loopbackTransport(double)
  const config = sampleSite(folder.path, transport.coordinator, { unitColumn: 'who', declaredRecords: PERSONS })
  writeFileSync(join(folder.path, 'records.csv'), `who,text,label\n${rows.join('')}`)
  let sum: ClippedSum | undefined
  await using _node = await startClient(
    { ...config, dataFile: join(folder.path, 'records.csv') },
    {
      transport,
      tokenizer: letters,
      engineFor: async ({ adapter }) => {
        const engine = fakeEngine(adapter)
        return {
          ...engine,
          clippedLotSum: async (...lot) => {
            sum = await engine.clippedLotSum(...lot)
            return sum
          },
        }
      },
    },
  )
  const peer = await double.peer()
  expect(await peer.offer(manifest)).toMatchObject({ accepted: true, terms: { sampleRate: 1 } })
  expect(await peer.invite(double.invitation(manifest, 0))).toEqual({ accepted: true })
  await double.received(manifest, 0, peer.clientId)
  return {
    gridSum: sum!.gridSum,
    records: sum!.records,
    messages: double.sent.map(({ kind }) => kind),
    unitReported: double.reports.at(-1)?.reservations[0]?.event.unit,
  }
}

describe('a person with many records', () => {
  it('moves the sum by no more than the bound of one unit, and in nothing else that leaves', async () => {
    const others = Array.from({ length: PERSONS - 1 }, (_, n) => `p${n},letter ${n},${n % 2 ? 'spam' : 'ham'}\n`)
    const target = Array.from({ length: ROWS }, (_, n) => `target,letter by the target ${n},spam\n`)
    const without = await roundOf(others)
    const within = await roundOf([...others, ...target])
    const moved = within.gridSum.map((tensor, t) => tensor.map((value, i) => value - without.gridSum[t]![i]!))
    const squares = moved.reduce((sum, tensor) => sum + tensor.reduce((all, value) => all + value * value, 0), 0)
    const dimension = moved.reduce((sum, { length }) => sum + length, 0)
    expect(squares).toBeGreaterThan(0)
    expect(squares).toBeLessThanOrEqual(squaredBound({ dimension, gridBits: GRID_BITS }))
    expect([without.records, within.records]).toEqual([PERSONS - 1, PERSONS])
    expect(within.messages).toEqual(without.messages)
    expect(within.unitReported).toBe('person')
  })

  it('is counted for the unit of the run: sites that count for the other one stay out', async () => {
    for (const [settings, asked] of [
      [{ unitColumn: 'label' }, sampleManifest()],
      [{}, manifest],
    ] as const) {
      using folder = temporaryFolder()
      const double = new CoordinatorDouble()
      const transport = loopbackTransport(double)
      await using _node = await startClient(sampleSite(folder.path, transport.coordinator, settings), {
        transport,
        tokenizer: letters,
        engineFor: async ({ adapter }) => fakeEngine(adapter),
      })
      const peer = await double.peer()
      const reply = await peer.offer(asked)
      expect(reply).toMatchObject({ accepted: false, error: { code: 'SITE_DECLINED' } })
      expect(JSON.stringify(reply)).not.toMatch(/person|record/)
    }
  })
})
