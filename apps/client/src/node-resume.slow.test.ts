import { appendFileSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { RunManifest } from '@fedsvd/core/protocol'
import type { EncodedRecord } from '@fedsvd/engine/datasets'
import { CoordinatorDouble, refusal } from '@fedsvd/testing/client/coordinator-double'
import { fakeEngine } from '@fedsvd/testing/client/fake-engine'
import { fullDisk } from '@fedsvd/testing/client/full-disk'
import { loopbackTransport } from '@fedsvd/testing/client/loopback-transport'
import { startSite } from '@fedsvd/testing/client/running-site'
import { BUDGET, FINGERPRINT, RUN_B, sampleBound, sampleManifest } from '@fedsvd/testing/client/sample-run'
import { letters, sampleSite } from '@fedsvd/testing/client/site'
import { type TemporaryFolder, temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { virtualClock } from '@fedsvd/testing/client/virtual-clock'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startClient } from './compose.ts'
import { ledgerPath, openLedger, replay, verifyLedgerBytes } from './ledger/index.ts'

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
const readLedger = () => {
  const bytes = readFileSync(ledgerPath(join(folder.path, 'state')))
  return replay(verifyLedgerBytes(bytes, 'site').entries)!
}
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

  it('is not gone on with from another published state', async () => {
    await using site = await failing(3)
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await site.told('round-failed')
    const other = double.invitation({ ...manifest, seed: 'another' }, 0)
    expect(await peer.invite(other)).toMatchObject({ accepted: false, error: { code: 'UPDATE_STALE' } })
    expect(reported()).toEqual([[1, 5]])
  })
})

describe('a site that is interrupted', () => {
  /**
   * A site whose process ends with the given lots, counted from 1 over all rounds; each interruption makes one lot
   * more.
   */
  const interrupted = async (lotsOfDeath: readonly number[], run: RunManifest) => {
    const steps: number[][] = []
    let lots = 0
    let round = 0
    while (round < run.rounds) {
      let isDown = false
      await using site = await start({
        onLot: () => {
          if (!isDown) lots += 1
          isDown ||= lotsOfDeath.includes(lots)
          if (isDown) throw new Error('the machine went down')
        },
      })
      const peer = await double.peer()
      await peer.offer(run)
      for (; round < run.rounds; round += 1) {
        const reply = await peer.invite(double.invitation(run, round))
        expect(reply, `round ${round}`).toEqual({ accepted: true })
        const ends = site.events.length
        await expect
          .poll(() => site.events.slice(ends).some(({ event }) => DONE.includes(event)), { timeout: 20_000 })
          .toBe(true)
        if (isDown) break
        const { attempts } = readLedger()
        steps[round] = attempts.filter((attempt) => attempt.round === round).map(({ event }) => event.steps)
      }
    }
    return steps
  }
  const DONE = ['round-delivered', 'round-failed']
  const frames = (run: RunManifest) =>
    Array.from({ length: run.rounds }, (_, n) => double.frames.get(`${run.runId}/${n}`)?.length)

  it.each([1, 8, 20])('with its lot number %i finishes the run with whole rounds', async (lot) => {
    const steps = await interrupted([lot], manifest)
    const whole = [5, 5, 5, 5].map((count, round) => (Math.ceil(lot / 5) - 1 === round ? [count, 1] : [count]))
    expect(steps).toEqual(whole) // 21 steps: those of four rounds and a spare one
    expect(frames(manifest)).toEqual([1, 1, 1, 1])
  })

  it('in every round finishes the run within its budget: the last round has fewer steps', async () => {
    expect(await interrupted([2, 8, 14], manifest)).toEqual([[5, 1], [5, 1], [5, 1], [3]])
    expect(frames(manifest)).toEqual([1, 1, 1, 1])
  })

  it('in its last round, with nothing left to pay with, sends what it has kept', async () => {
    // 21 steps: six for each of three rounds, and three for the last, of which the second is lost.
    expect(await interrupted([2, 8, 14, 20], manifest)).toEqual([[5, 1], [5, 1], [5, 1], [3]])
    expect(readLedger().attempts.at(-1)).toMatchObject({ round: 3, attempt: 1, steps: 2 })
    expect(frames(manifest)).toEqual([1, 1, 1, 1])
  })
})

describe('a start that fails', () => {
  const budget = { epsilon: 0.5, delta: 1e-5 }
  const failing: [string, string, Partial<Parameters<typeof startSite>[0]>][] = [
    ['of its token', 'TOKEN_INVALID', { enrolmentToken: 'another' }],
    ['of a missing declaration', 'CONFIG_INVALID', { declaredRecords: undefined }],
    ['of a coordinator that turns it away', 'SIGNATURE_INVALID', {}],
  ]

  it.each(failing)('because %s leaves nothing of the budget that was given with it', async (_, code, options) => {
    const authenticate = double.authenticate.bind(double)
    if (code === 'SIGNATURE_INVALID') {
      double.authenticate = () => {
        throw refusal('SIGNATURE_INVALID')
      }
    }
    await expect(start({ ...options, budget })).rejects.toThrow(code)
    double.authenticate = authenticate
    await using _site = await start({ enrolmentToken: 'token' })
    const peer = await double.peer()
    expect(await peer.offer(manifest)).toMatchObject({ accepted: true, terms: { budget: { epsilon: 6 } } })
  })

  it('lowers no budget that was agreed under; one that agrees does', async () => {
    const offered = async (options: Parameters<typeof start>[0], runId: string) => {
      await using _site = await start(options)
      const peer = await double.peer()
      const reply = await peer.offer(sampleManifest({ runId, target: { epsilon: 3, delta: 1e-5 } }))
      return reply.accepted ? reply.terms.budget.epsilon : 0
    }
    expect(await offered({}, manifest.runId)).toBe(3)
    await expect(start({ budget, declaredLabels: ['a'] })).rejects.toThrow('CONFIG_INVALID')
    await start({ budget }).then((site) => site[Symbol.asyncDispose]())
    expect(readLedger().budget.epsilon).toBe(6)
    expect(await offered({ budget: { epsilon: 2, delta: 1e-5 } }, RUN_B)).toBe(2)
    expect(readLedger().budget.epsilon).toBe(2)
  })

  it('raises none, and says so', async () => {
    const kept = async (epsilon: number) => {
      await using site = await start({ budget: { epsilon, delta: 1e-5 } })
      await double.peer()
      return site.events.find(({ event }) => event === 'budget')
    }
    expect(await kept(6)).toMatchObject({ source: 'settings', budget: { epsilon: 6 }, epsilonCharged: 0, remaining: 6 })
    await using site = await start({})
    const peer = await double.peer()
    await peer.offer(manifest)
    await site[Symbol.asyncDispose]()
    expect(await kept(9)).toMatchObject({ source: 'ledger', budget: { epsilon: 6 }, asked: { epsilon: 9 } })
    expect(await kept(6)).toMatchObject({ source: 'settings', budget: { epsilon: 6 } })
  })
})

describe('a run that is offered while another one trains', () => {
  it('is timed while no lot is computed, and the other goes on behind it', async () => {
    const active = { timed: 0, trained: 0 }
    const done = { timed: 0, trained: 0 }
    let overlaps = 0
    await using site = await start({
      budget: { epsilon: 30, delta: 1e-5 },
      releaseGrid: true,
      releaseClock: virtualClock(),
      onLot: async (records) => {
        const isTimed = records.length > 0 && records.every(({ tokenIds }) => tokenIds.every((id) => id === 0))
        const kind = isTimed ? 'timed' : 'trained'
        active[kind] += 1
        for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
        if (active.timed > 0 && active.trained > 0) overlaps += 1
        active[kind] -= 1
        done[kind] += 1
      },
    })
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await expect.poll(() => done.trained, { interval: 1, timeout: 20_000 }).toBeGreaterThan(0)
    const before = done.timed
    const another = sampleManifest({ runId: RUN_B, rounds: 1, target: { epsilon: 1, delta: 1e-5 } })
    expect(await peer.offer(another)).toMatchObject({ accepted: true })
    await site.told('round-delivered')
    await peer.invite(double.invitation(another, 0))
    await site.told('round-delivered', 2)
    expect(done.timed).toBeGreaterThan(before)
    expect(overlaps).toBe(0)
  })
})

describe('a full disk', () => {
  it('costs the ledger nothing: what was half written is cut off, and the fact can be written again', () => {
    using ledger = openLedger(join(folder.path, 'state'), FINGERPRINT, BUDGET)
    ledger.bind(sampleBound())
    {
      using _disk = fullDisk()
      expect(() => ledger.reserve(manifest.runId, 0)).toThrow('ENOSPC')
      expect(() => ledger.reserve(manifest.runId, 0)).toThrow('ENOSPC')
    }
    expect(ledger.reserve(manifest.runId, 0).entry.attempt).toBe(1)
    expect(readLedger().attempts).toHaveLength(1)
  })

  // The writes of a round: its state, its rule and its reservation, a step and its line four times, the frame and its
  // line, the answer.
  it.each([0, 1, 2, 3, 8, 10, 11, 12])('is waited for, after %i writes of a round', async (writes) => {
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    await expect.poll(() => double.reports.length, { timeout: 20_000 }).toBeGreaterThan(0)
    using disk = fullDisk(writes)
    const reply = peer.invite(double.invitation(manifest, 0))
    expect(await site.told('disk-full')).toMatchObject({ round: 0, error: { code: 'STORAGE_UNAVAILABLE' } })
    disk.empty()
    expect(await reply).toEqual({ accepted: true })
    await site.told('round-delivered')
    await site.told('disk-has-room')
    expect(readLedger().attempts.map(({ attempt, outcome }) => [attempt, outcome])).toEqual([[1, 'accepted']])
    expect(double.sent.some(({ kind }) => kind === 'round-failed')).toBe(false)
  })

  it('is told to the coordinator by code when the deadline of a round passes, and the round is gone on with', async () => {
    await using site = await start()
    const peer = await double.peer()
    const hasty = { ...manifest, deadlineSeconds: 0.3 }
    await peer.offer(hasty)
    await expect.poll(() => double.reports.length, { timeout: 20_000 }).toBeGreaterThan(0)
    using disk = fullDisk(5) // one of these is the site's own log
    await peer.invite(double.invitation(hasty, 0))
    expect(await site.told('round-failed')).toMatchObject({ error: { code: 'STORAGE_UNAVAILABLE' } })
    expect(double.sent.at(-1)).toEqual({
      kind: 'round-failed',
      message: { runId: manifest.runId, round: 0, code: 'STORAGE_UNAVAILABLE' },
    })
    disk.empty()
    await peer.invite(double.invitation(hasty, 0))
    await site.told('round-delivered')
    expect(reported()).toEqual([
      [1, 5],
      [2, 1],
    ])
  })

  it('does not make a site decline a run', async () => {
    await using site = await start()
    const peer = await double.peer()
    using disk = fullDisk()
    const reply = peer.offer(manifest)
    expect(await site.told('disk-full')).toMatchObject({ runId: manifest.runId })
    disk.empty()
    expect(await reply).toMatchObject({ accepted: true })
  })
})

describe('the end of a run, as a site waits for it,', () => {
  const foreign = sampleManifest({ runId: RUN_B, labels: ['ham', 'eggs'] })

  it('is that of a run which the site declined, where it takes part in no other', async () => {
    await using site = await start({ declaredLabels: ['ham', 'spam'] })
    const ending = site.node.nextEnding()
    const peer = await double.peer()
    await peer.offer(foreign)
    expect(await ending).toMatchObject({ kind: 'declined', runId: RUN_B, error: { code: 'LABEL_UNKNOWN' } })
  })

  it('is not that of a declined run while the site takes part in another', async () => {
    await using site = await start({ declaredLabels: ['ham', 'spam'] })
    const peer = await double.peer()
    await Promise.all([peer.offer(foreign), peer.offer(manifest)])
    peer.runEnded({ runId: manifest.runId, state: 'stopped', reason: 'by hand' })
    expect(await site.node.nextEnding()).toMatchObject({ kind: 'ended', runId: manifest.runId, state: 'stopped' })
  })

  it('is that of a run for which the site has no budget left', async () => {
    await using site = await start()
    const peer = await double.peer()
    await peer.offer({ ...manifest, rounds: 1 })
    const extended = { ...manifest, rounds: 1 }
    for (const round of [0, 1]) {
      await peer.invite({ ...double.invitation(extended, round), rounds: 9 })
      await site.told('round-delivered', round + 1)
    }
    const ending = site.node.nextEnding()
    await peer.invite({ ...double.invitation(extended, 2), rounds: 9 })
    expect(await ending).toMatchObject({ kind: 'declined', error: { code: 'BUDGET_EXHAUSTED' } })
  })

  it('is that of a run that ended while the site was away, once', async () => {
    await start().then(async (site) => {
      const peer = await double.peer()
      await peer.offer(manifest)
      await site[Symbol.asyncDispose]()
    })
    {
      await using site = await start()
      const peer = await double.peer()
      peer.runEnded({ runId: RUN_B, state: 'completed' }) // one that this site never joined
      peer.runEnded({ runId: manifest.runId, state: 'failed', reason: 'why' })
      expect(await site.node.nextEnding()).toMatchObject({ kind: 'ended', state: 'failed', reason: 'why' })
    }
    await using site = await start()
    const peer = await double.peer()
    peer.runEnded({ runId: manifest.runId, state: 'failed', reason: 'why' }) // coordinators say it at each connection
    await peer.offer(sampleManifest({ runId: RUN_B, rounds: 1, target: { epsilon: 1, delta: 1e-5 } }))
    peer.runEnded({ runId: RUN_B, state: 'completed' })
    expect(await site.node.nextEnding()).toMatchObject({ runId: RUN_B, state: 'completed' })
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
