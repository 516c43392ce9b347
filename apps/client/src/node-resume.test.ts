import { appendFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { RunManifest } from '@fedsvd/core/protocol'
import type { EncodedRecord } from '@fedsvd/engine/data'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CoordinatorDouble } from '../test-kit/coordinator-double.ts'
import { fakeEngine } from '../test-kit/fake-engine.ts'
import { loopbackTransport } from '../test-kit/loopback-transport.ts'
import { startSite } from '../test-kit/running-site.ts'
import { RUN_B, sampleManifest } from '../test-kit/sample-run.ts'
import { letters, sampleSite } from '../test-kit/site.ts'
import { type TemporaryFolder, temporaryFolder } from '../test-kit/temporary-folder.ts'
import { startClient } from './index.ts'

/* What a node does with its data and its rounds beside the protocol. A round of the manifest has five steps. */
const manifest = sampleManifest()

let folder: TemporaryFolder
let double: CoordinatorDouble
beforeEach(() => {
  folder = temporaryFolder()
  double = new CoordinatorDouble()
})
afterEach(() => folder[Symbol.dispose]())

const start = (options: Partial<Parameters<typeof startSite>[0]> = {}) =>
  startSite({ folder: folder.path, transport: loopbackTransport(double), ...options })
const reported = () => double.reports.at(-1)!.reservations.map(({ attempt, event }) => [attempt, event.steps])
const isMadeUp = (records: readonly EncodedRecord[]) => records.every(({ tokenIds }) => tokenIds.length === 2)

describe('a round that fails in its third step', () => {
  /** A site whose engine fails from its `fatal`-th lot on, up to the made-up record that it is tried on then. */
  const failing = (fatal: number) => {
    let [lots, isDown] = [0, false]
    return start({
      onLot: (records) => {
        lots += 1
        if (lots === fatal) isDown = true
        if (!isDown) return
        isDown = !isMadeUp(records)
        throw new Error('a cable was pulled')
      },
    })
  }

  it('goes on behind the second when the site is asked again, and reports one step more', async () => {
    await using site = await failing(3)
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await site.told('round-failed')
    expect(reported()).toEqual([[1, 5]])
    await peer.invite(double.invitation(manifest, 0))
    await site.told('round-delivered')
    expect(await site.told('round-resumed')).toMatchObject({ round: 0, step: 2, steps: 5 })
    expect(site.events.flatMap((event) => (event.event === 'step' ? [event.step] : []))).toEqual([1, 2, 3, 4, 5])
    expect(reported()).toEqual([
      [1, 5],
      [2, 1],
    ])
    const [place] = readdirSync(join(folder.path, 'state', 'checkpoints'))
    expect(readdirSync(join(folder.path, 'state', 'checkpoints', place!))).toEqual([])
  })

  it('goes on in another process', async () => {
    {
      await using site = await failing(3)
      const peer = await double.peer()
      await peer.offer(manifest)
      await peer.invite(double.invitation(manifest, 0))
      await site.told('round-failed')
    }
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await double.received(manifest, 0, peer.clientId)
    expect(await site.told('round-resumed')).toMatchObject({ step: 2 })
  })

  it('is paid for as a whole where the published state is another one now', async () => {
    await using site = await failing(3)
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await site.told('round-failed')
    const other = double.invitation({ ...manifest, seed: 'another' }, 0)
    await peer.invite(other)
    await site.told('round-delivered')
    expect(site.events.some(({ event }) => event === 'round-resumed')).toBe(false)
    expect(reported()).toEqual([
      [1, 5],
      [2, 5],
    ])
  })
})

describe('an engine that fails on a record', () => {
  it('leaves it out and goes on: the update comes, and only the site knows', async () => {
    // no lot of 100 records at this rate has fewer than two members, or more than one micro-batch takes
    const manifest = sampleManifest({ expectedLotSize: 30 })
    let batches = 0
    await using site = await start({
      onLot: (records) => {
        if (isMadeUp(records)) return
        if (records.length > 1) batches += 1
        if (batches === 3) throw new RangeError('out of memory')
      },
    })
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await site.told('round-delivered')
    expect(await site.told('lot-failed')).toMatchObject({ step: 3, steps: 5, error: { code: 'UNEXPECTED' } })
    expect(reported()).toEqual([[1, 5]])
    expect(double.sent.some(({ kind }) => kind === 'round-failed')).toBe(false)
  })
})

describe('a node', () => {
  it('makes one engine, reads its file twice and tokenises once for all steps of all rounds', async () => {
    let engines = 0
    let tokenised = 0
    const parts = {
      transport: loopbackTransport(double),
      tokenizer: {
        ...letters,
        encode: (text: string, maxTokens: number) => {
          if (text.startsWith('letter')) tokenised += 1
          return letters.encode(text, maxTokens)
        },
      },
      engineFor: async ({ adapter }: RunManifest) => {
        engines += 1
        return fakeEngine(adapter)
      },
    }
    await using _node = await startClient(sampleSite(folder.path, parts.transport.coordinator), parts)
    const peer = await double.peer()
    await peer.offer(manifest)
    for (const round of [0, 1, 2]) {
      await peer.invite(double.invitation(manifest, round))
      await double.received(manifest, round, peer.clientId)
    }
    await peer.offer(manifest)
    expect({ engines, tokenised }).toEqual({ engines: 1, tokenised: 100 })
  })

  it('trains on the records of its start, whatever becomes of their file, and tells its own site', async () => {
    await using site = await start({ budget: { epsilon: 30, delta: 1e-5 } })
    const peer = await double.peer()
    await peer.offer(manifest)
    appendFileSync(join(folder.path, 'records.jsonl'), '{"text":"one more","label":"ham"}\n')
    expect(await peer.invite(double.invitation(manifest, 0))).toEqual({ accepted: true })
    await site.told('round-delivered')
    rmSync(join(folder.path, 'records.jsonl'))
    expect(
      await peer.offer(sampleManifest({ runId: RUN_B, rounds: 1, target: { epsilon: 1, delta: 1e-5 } })),
    ).toMatchObject({
      accepted: true,
    })
    await peer.invite(double.invitation(manifest, 1))
    await site.told('round-delivered', 2)
    const changes = site.events.filter(({ event }) => event === 'data-changed')
    expect(changes).toEqual([{ event: 'data-changed', path: join(folder.path, 'records.jsonl') }])
  })

  it('leaves no encoded records behind when the run has ended', async () => {
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    const encoded = () =>
      readdirSync(join(folder.path, 'state', 'encoded'), { encoding: 'utf8', recursive: true }).filter((name) =>
        name.endsWith('.records'),
      )
    await peer.invite(double.invitation(manifest, 0))
    await site.told('round-delivered') // its lots were drawn from the encoded records
    expect(encoded()).toHaveLength(1)
    peer.runEnded({ runId: manifest.runId, state: 'completed' })
    await site.told('run-ended')
    expect(encoded()).toHaveLength(0)
  })
})
