import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { CoordinatorDouble, type Peer, refusal } from '@fedsvd/testing/client/coordinator-double'
import { fakeEngine } from '@fedsvd/testing/client/fake-engine'
import { fixture } from '@fedsvd/testing/client/fixtures'
import { loopbackTransport } from '@fedsvd/testing/client/loopback-transport'
import { serveDouble } from '@fedsvd/testing/client/network-double'
import { type RunningSite, type SiteOptions, startSite } from '@fedsvd/testing/client/running-site'
import { RUN_B, sampleManifest } from '@fedsvd/testing/client/sample-run'
import { letters, sampleSite } from '@fedsvd/testing/client/site'
import { type TemporaryFolder, temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startClient } from './compose.ts'
import { showLedger } from './ledger/index.ts'
import { networkTransport, type Transport } from './transport/index.ts'

/*
 * One suite for a node over every transport: what a coordinator can count on, and what it can not make a site do.
 */
const manifest = sampleManifest()
/** What follows the reservation of a round in the ledger: its steps but the last, its frame, the answer to it. */
const MADE = [...Array(manifest.localSteps - 1).fill('stepped'), 'finished', 'acknowledged']

describe.each([
  [
    'the network',
    async (double: CoordinatorDouble) => {
      const served = await serveDouble(double)
      return { transport: networkTransport(served.url), stop: () => served[Symbol.asyncDispose]() }
    },
  ],
  ['a loopback', async (double: CoordinatorDouble) => ({ transport: loopbackTransport(double), stop: async () => {} })],
])('a node over %s', (_, connect) => {
  let folder: TemporaryFolder
  let double: CoordinatorDouble
  let transport: Transport
  let stop: () => PromiseLike<void>

  beforeEach(async () => {
    folder = temporaryFolder()
    double = new CoordinatorDouble()
    ;({ transport, stop } = await connect(double))
  })
  afterEach(async () => {
    await stop()
    folder[Symbol.dispose]()
  })

  const start = (options: Partial<SiteOptions> = {}): Promise<RunningSite> =>
    startSite({ folder: folder.path, transport, ...options })
  const ledgerLines = (): string[] => {
    const ledgers = join(folder.path, 'state', 'ledgers')
    const [file] = readdirSync(ledgers).filter((name) => name.endsWith('.jsonl'))
    return readFileSync(join(ledgers, file!), 'utf8').split('\n').filter(Boolean)
  }
  const ledgerFacts = () => ledgerLines().map((line) => (JSON.parse(line) as { fact: Record<string, unknown> }).fact)
  const kinds = () => ledgerFacts().map(({ kind }) => kind)

  it('enrols once, agrees to a run, and trains the rounds that it is invited to', async () => {
    await using site = await start()
    const peer = await double.peer()
    const reply = await peer.offer(manifest)
    expect(reply).toMatchObject({
      accepted: true,
      terms: { declaredRecords: 100, sampleRate: 0.1, budget: { epsilon: 6 } },
    })
    for (const round of [0, 1]) {
      expect(await peer.invite(double.invitation(manifest, round))).toEqual({ accepted: true })
      const frame = await double.received(manifest, round, peer.clientId)
      expect(frame.tensors.every(({ data }) => data.every(Number.isFinite))).toBe(true)
      await site.told('round-delivered', round + 1)
    }
    expect(kinds()).toEqual(['opened', 'bound', 'rule-fixed', 'reserved', ...MADE, 'reserved', ...MADE])
    peer.runEnded({ runId: manifest.runId, state: 'completed' })
    expect(await site.told('run-ended')).toMatchObject({ state: 'completed' })
    expect(double.sent.filter(({ kind }) => kind === 'enrol')).toHaveLength(1)
  })

  it('clips with the norm of the invitation where it adapts, adds its noised share, and pays what it would have paid', async () => {
    const clipNorms: number[] = []
    await using site = await start({ onLot: (_, clipNorm) => void clipNorms.push(clipNorm) })
    const peer = await double.peer()
    const adaptiveClipping = { quantile: 0.5, learningRate: 0.2, countShare: 0.5 }
    const adaptive = { ...manifest, adaptiveClipping }
    await peer.offer(adaptive)
    for (const clipNorm of [undefined, 2 ** -21, 2 ** 21]) {
      const reply = await peer.invite({ ...double.invitation(adaptive, 0), ...(clipNorm && { clipNorm }) })
      expect(reply).toMatchObject({ accepted: false, error: { code: 'TERMS_CHANGED' } })
    }
    expect(kinds()).toEqual(['opened', 'bound'])
    await peer.invite({ ...double.invitation(adaptive, 0), clipNorm: 3 })
    const { tensors } = await double.received(adaptive, 0, peer.clientId)
    await site.told('round-delivered')
    expect(tensors).toHaveLength(4)
    expect(clipNorms).toEqual(Array(5).fill(3))
    // The norms of the fake engine are 0: as many votes for the clip norm as records were drawn, 50 +- 6.7, over 50.
    const { noiseMultiplier } = ledgerFacts().find(({ kind }) => kind === 'bound')!.terms as { noiseMultiplier: number }
    const noise = (Math.sqrt(5) * noiseMultiplier) / Math.sqrt(0.5) / (2 * 50)
    expect(Math.abs(tensors[3]!.data[0]! - 1)).toBeLessThan(6 * Math.hypot(noise, 0.067))
    const { event } = ledgerFacts().find(({ kind }) => kind === 'reserved') as { event?: object }
    expect(event).toMatchObject({ noiseMultiplier, steps: 5, clipNorm: 1, unit: 'record' })
  })

  it('takes no clip norm from an invitation to a run that does not adapt it', async () => {
    await using _site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    const reply = await peer.invite({ ...double.invitation(manifest, 0), clipNorm: 3 })
    expect(reply).toMatchObject({ accepted: false, error: { code: 'TERMS_CHANGED' } })
    expect(kinds()).toEqual(['opened', 'bound'])
  })

  it('reserves and reports before its update leaves (trap: spent first, written later)', async () => {
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await site.told('round-delivered')
    const order = double.sent.map(({ kind, message }) =>
      kind === 'ledger-report' ? `report of ${(message as { reservations: [] }).reservations.length}` : kind,
    )
    expect(order.indexOf('report of 1')).toBeGreaterThan(-1)
    expect(order.indexOf('report of 1')).toBeLessThan(order.indexOf('upload'))
    expect(double.reports.at(-1)!.reservations).toMatchObject([
      { round: 0, attempt: 1, event: { steps: 5, unit: 'record' } },
    ])
  })

  it('reports a round alone before it trains, and all that it holds when it connects again', async () => {
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    for (const round of [0, 1]) {
      await peer.invite(double.invitation(manifest, round))
      await site.told('round-delivered', round + 1)
    }
    const told = () => {
      const { since, reservations } = double.reports.at(-1)!
      return { since, rounds: reservations.map(({ round }) => round) }
    }
    expect(told()).toEqual({ since: 1, rounds: [1] })
    const count = double.reports.length
    peer.drop()
    await double.got('ledger-report', count + 1)
    expect(told()).toEqual({ since: 0, rounds: [0, 1] })
  })

  it('sends the same bytes when it is invited again, and draws no new noise (trap: a retry that trains again)', async () => {
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    for (const time of [1, 2, 3]) {
      await peer.invite(double.invitation(manifest, 0))
      await site.told('round-delivered', time)
    }
    const uploads = double.sent.filter(({ kind }) => kind === 'upload').map(({ message }) => message as Uint8Array)
    expect(uploads).toHaveLength(3)
    expect(double.frames.get(`${manifest.runId}/0`)).toHaveLength(1)
    expect(kinds().filter((kind) => kind === 'reserved')).toHaveLength(1)
  })

  it('sends the same bytes after a restart', async () => {
    double.refuseUpload = () => refusal('FORBIDDEN') // not a last word about the frame
    {
      await using site = await start()
      const peer = await double.peer()
      await peer.offer(manifest)
      await peer.invite(double.invitation(manifest, 0))
      await site.told('round-failed')
    }
    double.refuseUpload = () => undefined
    await using site = await start({ enrolmentToken: undefined })
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await site.told('round-delivered')
    const [first, second] = double.sent
      .filter(({ kind }) => kind === 'upload')
      .map(({ message }) => message as Uint8Array)
    expect(Buffer.compare(first!, second!)).toBe(0)
    expect(kinds().filter((kind) => kind === 'reserved')).toHaveLength(1)
  })

  it('answers a run that is offered again with the same terms, also after a restart and after spending', async () => {
    const offered = async () => {
      await using site = await start()
      const peer = await double.peer()
      const reply = await peer.offer(manifest)
      const again = await peer.offer(manifest)
      expect(again).toEqual(reply)
      await peer.invite(double.invitation(manifest, 0))
      await site.told('round-delivered')
      return reply
    }
    expect(await offered()).toEqual(await offered())
    expect(kinds().filter((kind) => kind === 'bound')).toHaveLength(1)
  })

  it('refuses a run that changed after it was agreed (trap: sigma or q changed in mid-run)', async () => {
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    const reply = await peer.offer(sampleManifest({ localSteps: 50 }))
    expect(reply).toMatchObject({ accepted: false, error: { code: 'TERMS_CHANGED' } })
    expect(await site.told('declined')).toMatchObject({ error: { code: 'TERMS_CHANGED' } })
  })

  it('trains for nobody that did not offer the run (trap: fail open on an unknown round)', async () => {
    await using site = await start()
    const peer = await double.peer()
    expect(await peer.invite(double.invitation(manifest, 0))).toMatchObject({
      accepted: false,
      error: { code: 'RUN_NOT_FOUND' },
    })
    await peer.offer(manifest)
    expect(await peer.invite(double.invitation(manifest, manifest.rounds))).toMatchObject({ accepted: false })
    expect(site.events.filter(({ event }) => event === 'round-started')).toEqual([])
    expect(kinds()).toEqual(['opened', 'bound'])
  })

  it('stops when the round is closed; what was reserved stays spent', async () => {
    const gate = gated()
    await using site = await start({ onLot: gate.wait })
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await gate.reached
    peer.roundClosed({ runId: manifest.runId, round: 0 })
    await double.settled(peer)
    gate.open()
    await site.told('step')
    await setImmediate() // the closed round ends behind its step, without waiting for anything
    await peer.invite(double.invitation(manifest, 1))
    await site.told('round-delivered')
    expect(double.frames.has(`${manifest.runId}/0`)).toBe(false)
    // the step under way was made and kept; the next one did not begin, and lines that say nothing hide how many there
    // were
    const levelled = Array(manifest.localSteps - 1).fill('levelled')
    expect(kinds()).toEqual(['opened', 'bound', 'rule-fixed', 'reserved', 'stepped', ...levelled, 'reserved', ...MADE])
    expect(site.events.filter(({ event }) => event === 'round-failed')).toEqual([])
  })

  it.each([
    ['closed', (peer: Peer) => peer.roundClosed({ runId: manifest.runId, round: 0 })],
    ['at an end', (peer: Peer) => peer.runEnded({ runId: manifest.runId, state: 'stopped' })],
  ])('asks its engine for nothing more once its round is %s', async (_, end) => {
    const gate = gated()
    let asked = 0
    await using site = await start({
      budget: { epsilon: 20, delta: 1e-5 }, // for two runs
      onLot: () => {
        asked += 1
        return gate.wait()
      },
    })
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await gate.reached
    end(peer)
    await double.settled(peer)
    gate.open()
    // Another run is trained whole meanwhile: five lots of its own, and none of the round that was ended.
    const other = sampleManifest({ runId: RUN_B })
    await peer.offer(other)
    await peer.invite(double.invitation(other, 0))
    await site.told('round-delivered')
    expect(asked).toBe(1 + other.localSteps)
  })

  it('holds a paused round where it is, and goes on with it for the same reservation', async () => {
    const gate = gated()
    let asked = 0
    await using site = await start({
      budget: { epsilon: 20, delta: 1e-5 }, // for two runs
      onLot: () => {
        asked += 1
        return gate.wait()
      },
    })
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await gate.reached
    peer.runPaused({ runId: manifest.runId })
    expect(await site.told('run-paused')).toMatchObject({ runId: manifest.runId, round: 0 })
    gate.open()
    const other = sampleManifest({ runId: RUN_B })
    await peer.offer(other)
    await peer.invite(double.invitation(other, 0))
    expect(await site.told('round-delivered')).toMatchObject({ runId: RUN_B })
    expect(asked).toBe(1 + other.localSteps)
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    expect(await site.told('round-delivered', 2)).toMatchObject({ runId: manifest.runId })
    expect(asked).toBe(2 * manifest.localSteps)
    const reserved = ledgerFacts().filter(({ kind, runId }) => kind === 'reserved' && runId === manifest.runId)
    expect(reserved).toHaveLength(1)
  })

  it('pays for nothing, and sends nothing, while the run is paused', async () => {
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    peer.runPaused({ runId: manifest.runId }) // it comes right after the invitation, on the same connection
    await site.told('run-paused')
    await double.settled(peer)
    expect(double.frames.size).toBe(0)
    expect(kinds().filter((kind) => kind === 'reserved' || kind === 'finished').length).toBeLessThan(2)
    await peer.invite(double.invitation(manifest, 0))
    await site.told('round-delivered')
    expect(kinds()).toEqual(['opened', 'bound', 'rule-fixed', 'reserved', ...MADE])
  })

  it('takes part beyond the rounds of the manifest where it is told so, as far as its budget goes', async () => {
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    const beyond = (round: number) => ({ ...double.invitation(manifest, round), rounds: 2 * manifest.rounds })
    let trained = 0
    for (let round = manifest.rounds; round < 2 * manifest.rounds; round += 1) {
      expect(await peer.invite(beyond(round))).toEqual({ accepted: true })
      trained += 1
      await site.told('round-delivered', trained)
    }
    // The noise is for as many rounds as the manifest has and a spare step: no more fit, in whichever round.
    expect(await peer.invite({ ...double.invitation(manifest, 98), rounds: 100 })).toEqual({ accepted: true })
    expect(await site.told('round-shortened')).toMatchObject({ round: 98, steps: 1, of: 5 })
    await site.told('round-delivered', trained + 1)
    expect(await peer.invite({ ...double.invitation(manifest, 99), rounds: 100 })).toMatchObject({
      accepted: false,
      error: { code: 'BUDGET_EXHAUSTED' },
    })
    expect(kinds().filter((kind) => kind === 'reserved')).toHaveLength(manifest.rounds + 1)
  })

  it('ends an older round when a newer invitation comes, and refuses to go back', async () => {
    const gate = gated()
    await using site = await start({ onLot: gate.wait })
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await gate.reached
    await peer.invite(double.invitation(manifest, 1))
    gate.open()
    await site.told('round-delivered')
    expect([...double.frames.keys()]).toEqual([`${manifest.runId}/1`])
    expect(await peer.invite(double.invitation(manifest, 0))).toMatchObject({
      accepted: false,
      error: { code: 'UPDATE_STALE' },
    })
  })

  it('makes one round from one state: nothing of it goes to a coordinator that was restored and came by another way', async () => {
    const gate = gated()
    const invitation = { ...double.invitation(manifest, 0) }
    const another = { ...invitation, state: { ...invitation.state, sha256: 'ab'.repeat(32) } }
    {
      await using site = await start({ onLot: gate.wait })
      const peer = await double.peer()
      await peer.offer(manifest)
      await peer.invite(invitation)
      await gate.reached
      expect(await peer.invite(another)).toMatchObject({ accepted: false, error: { code: 'UPDATE_STALE' } })
      gate.open()
      await site.told('round-delivered')
      expect(await peer.invite(another)).toMatchObject({ accepted: false, error: { code: 'UPDATE_STALE' } })
    }
    await using _site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    expect(await peer.invite(another)).toMatchObject({ accepted: false, error: { code: 'UPDATE_STALE' } })
    expect(await peer.invite(invitation)).toEqual({ accepted: true })
    expect(kinds().filter((kind) => kind === 'reserved')).toHaveLength(1)
  })

  it('goes on with a round that it is invited to twice while it trains', async () => {
    const gate = gated()
    await using site = await start({ onLot: gate.wait })
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await gate.reached
    expect(await peer.invite(double.invitation(manifest, 0))).toEqual({ accepted: true })
    gate.open()
    await site.told('round-delivered')
    expect(kinds().filter((kind) => kind === 'reserved')).toHaveLength(1)
  })

  it('takes the tokens of a coordinator that came back without its secrets', async () => {
    const gate = gated()
    await using site = await start({ onLot: gate.wait })
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await gate.reached
    double.forgetTokens()
    peer.drop()
    await site.told('connected', 2)
    gate.open() // the upload now goes out with a token that nobody takes any more
    const again = await double.peer()
    await again.offer(manifest)
    await again.invite(double.invitation(manifest, 0))
    await site.told('round-delivered')
    expect(kinds()).toEqual(['opened', 'bound', 'rule-fixed', 'reserved', ...MADE])
  })

  it('notes a final refusal of its update, and takes part in the next round', async () => {
    double.refuseUpload = (round) => (round === 0 ? refusal('UPDATE_STALE') : undefined)
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    expect(await site.told('round-failed')).toMatchObject({ error: { code: 'UPDATE_STALE' } })
    await peer.invite(double.invitation(manifest, 1))
    await site.told('round-delivered')
    expect(ledgerFacts()).toContainEqual(
      expect.objectContaining({ kind: 'acknowledged', round: 0, outcome: 'refused', code: 'UPDATE_STALE' }),
    )
  })

  it('spends nothing on a published state that is not what was announced', async () => {
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    const invitation = double.invitation(manifest, 0)
    double.damage(invitation)
    await peer.invite(invitation)
    expect((await site.told('round-failed')).error.code).toMatch(/FRAME_CHECKSUM|FRAME_MALFORMED/)
    expect(kinds()).toEqual(['opened', 'bound'])
  })

  it('ends its part in a run whose coordinator proves that this ledger is not the newest', async () => {
    double.answerReport = ({ reservations }) =>
      reservations.length === 0 ? { agrees: true } : { agrees: false, error: refusal('LEDGER_MISMATCH').toJSON() }
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    expect(await site.told('round-failed')).toMatchObject({ error: { code: 'LEDGER_MISMATCH' } })
    expect(await peer.invite(double.invitation(manifest, 1))).toMatchObject({
      accepted: false,
      error: { code: 'LEDGER_MISMATCH' },
    })
    expect(double.sent.some(({ kind }) => kind === 'upload')).toBe(false)
  })

  it('trains nothing before the coordinator has agreed with all that its ledger holds (trap: an old copy of a ledger)', async () => {
    let invited = false
    double.answerReport = ({ since }) => {
      if (since !== 0) return { agrees: true } // of the round alone nothing is wrong
      return { agrees: false, error: refusal(invited ? 'LEDGER_MISMATCH' : 'DATABASE_UNAVAILABLE').toJSON() }
    }
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    invited = true
    await peer.invite(double.invitation(manifest, 3))
    expect(await site.told('round-failed')).toMatchObject({ error: { code: 'LEDGER_MISMATCH' } })
    expect(double.sent.some(({ kind }) => kind === 'upload')).toBe(false)
  })

  it('keeps the frame until a later round is answered, and clears up when the run ends', async () => {
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    const frames = () => {
      const outbox = join(folder.path, 'state', 'outbox')
      return existsSync(outbox) ? readdirSync(outbox).flatMap((name) => readdirSync(join(outbox, name))) : []
    }
    for (const round of [0, 1]) {
      await peer.invite(double.invitation(manifest, round))
      await site.told('round-delivered', round + 1)
      expect(frames()).toEqual([`${manifest.runId}-${round}-1.frame`])
    }
    peer.runEnded({ runId: manifest.runId, state: 'completed' })
    await site.told('run-ended')
    expect(frames()).toEqual([])
  })

  it('shares one budget between runs: what one run spends, the next has not (trap: a budget for each run)', async () => {
    await using site = await start()
    const peer = await double.peer()
    const first = await peer.offer(manifest)
    for (let round = 0; round < manifest.rounds; round += 1) {
      await peer.invite(double.invitation(manifest, round))
      await site.told('round-delivered', round + 1)
    }
    const second = await peer.offer(sampleManifest({ runId: RUN_B }))
    expect(first.accepted).toBe(true)
    expect(second).toMatchObject({ accepted: false, error: { code: 'BUDGET_TOO_SMALL' } })
  })

  it.skipIf(process.platform === 'win32')('warns at each start where others may enter its state folder', async () => {
    const stateDir = join(folder.path, 'state')
    const warned = ({ events }: RunningSite) => events.filter(({ event }) => event === 'state-exposed')
    {
      await using site = await start()
      expect(warned(site)).toEqual([])
    }
    for (const rights of [0o755, 0o700]) {
      chmodSync(stateDir, rights)
      await using site = await start()
      const told = { event: 'state-exposed', path: stateDir, rights: '755' }
      expect(warned(site)).toEqual(rights === 0o755 ? [told] : [])
    }
  })

  it('goes on, under its terms, with a run that the release before agreed to in the ledger of a data set', async () => {
    copyEarlierState(folder.path)
    const isOther = (name: string): boolean => !name.startsWith('ec3d')
    const ledgers = join(folder.path, 'state', 'ledgers')
    for (const name of readdirSync(ledgers).filter(isOther)) rmSync(join(ledgers, name))
    await using site = await start({ budget: { epsilon: 100, delta: 1e-5 } })
    expect(await site.told('ledgers-adopted')).toEqual({ event: 'ledgers-adopted', count: 1 })
    const peer = await double.peer()
    const offered = await peer.offer(manifest)
    expect(offered).toMatchObject({ accepted: true, terms: { budget: { epsilon: 6 } } })
    await peer.invite(double.invitation(manifest, 1))
    expect(await site.told('round-resumed')).toMatchObject({ round: 1, step: 2 })
    await site.told('round-delivered')
    const [view] = showLedger(join(folder.path, 'state')).filter(({ isMoved }) => !isMoved)
    expect(view!.budget.epsilon).toBe(6)
    expect(view!.steps).toBe(5 + 5 + 1)
  })

  it('counts the ledgers of all data sets, and refuses a run that the smallest of their budgets does not pay for', async () => {
    copyEarlierState(folder.path)
    await using site = await start({ budget: { epsilon: 100, delta: 1e-5 } })
    const peer = await double.peer()
    await peer.offer(manifest)
    // What broke off there was made from other data: the round is paid for anew, and nothing is left for it.
    expect(await peer.invite(double.invitation(manifest, 1))).toMatchObject({ accepted: false })
    expect((await site.told('declined')).error).toMatchObject({ code: 'BUDGET_EXHAUSTED' })
    const [view] = showLedger(join(folder.path, 'state')).filter(({ isMoved }) => !isMoved)
    expect(view!.budget.epsilon).toBe(4)
    expect(view!.steps).toBe(5 + 5 + 3)
  })

  it('survives a listener that fails', async () => {
    const config = sampleSite(folder.path, transport.coordinator)
    const fails = () => {
      throw new Error('a broken pipe')
    }
    const engine = async () => fakeEngine(manifest.adapter)
    await using node = await startClient(config, { transport, tokenizer: letters, engineFor: engine, onEvent: fails })
    const ending = node.nextEnding()
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await double.received(manifest, 0, peer.clientId)
    peer.runEnded({ runId: manifest.runId, state: 'completed' })
    expect(await ending).toMatchObject({ state: 'completed' })
  })

  it('says in a refusal what the catalogue says, and nothing about the site', async () => {
    await using site = await start({ declaredLabels: ['spam', 'ham'] })
    const peer = await double.peer()
    const reply = await peer.offer(sampleManifest({ labels: ['ham', 'eggs'] }))
    expect(reply).toMatchObject({ accepted: false, error: { code: 'LABEL_UNKNOWN' } })
    expect(JSON.stringify(reply)).not.toMatch(/spam|records\.jsonl/)
    const declined = await site.told('declined')
    expect(declined.error.expected).toContain('spam, ham')
    expect(declined.name).toBe(manifest.name)
    expect((await peer.offer(manifest)).accepted).toBe(true)
  })

  it('leaves out what a run cannot take, and tells its own site only', async () => {
    await using site = await start()
    const peer = await double.peer()
    const other = sampleManifest({ labels: ['ham', 'eggs'] })
    const reply = await peer.offer(other)
    expect(reply).toMatchObject({ accepted: true, terms: { declaredRecords: 100 } })
    expect(await site.told('records-left-out')).toMatchObject({
      runId: other.runId,
      count: 50,
      first: { code: 'LABEL_UNKNOWN' },
    })
    await peer.invite(double.invitation(other, 0))
    await site.told('round-delivered')
  })

  it('wants a declared count before it speaks to a coordinator, and knows it from then on', async () => {
    await expect(start({ declaredRecords: undefined })).rejects.toThrow(/CONFIG_INVALID.*declared number of records/)
    expect(double.sent).toEqual([])
    for (const declaredRecords of [90, undefined]) {
      await using site = await start({ declaredRecords })
      const peer = await double.peer()
      const runId = declaredRecords === undefined ? RUN_B : manifest.runId
      const target = { epsilon: 2, delta: 1e-5 }
      const reply = await peer.offer(sampleManifest({ runId, target }))
      expect(reply).toMatchObject({ accepted: true, terms: { declaredRecords: 90 } })
      expect(await site.told('declared')).toMatchObject({ declaredRecords: 90, records: 100 })
    }
  })

  it('refuses a state of another size than the schema gives, before it fetches a byte', async () => {
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    const invitation = double.invitation(manifest, 0)
    for (const [bytes, code] of [
      [2 ** 30, 'FRAME_TOO_LARGE'],
      [invitation.state.bytes - 1, 'FRAME_MALFORMED'],
    ] as const) {
      const reply = await peer.invite({ ...invitation, state: { ...invitation.state, bytes } })
      expect(reply).toMatchObject({ accepted: false, error: { code } })
    }
    expect(double.sent.filter(({ kind }) => kind === 'blob')).toEqual([])
    expect(site.events.filter(({ event }) => event === 'round-started')).toEqual([])
    expect(kinds()).toEqual(['opened', 'bound'])
  })

  it('refuses a state with a number beyond all use, or beyond its own limit, and spends nothing', async () => {
    for (const [oneValue, limits] of [
      [1.5e6, undefined],
      [-20, { stateValue: 10 }],
    ] as const) {
      await using site = await start({ limits })
      const peer = await double.peer()
      await peer.offer(manifest)
      await peer.invite(double.invitation(manifest, 0, { oneValue }))
      expect((await site.told('round-failed')).error.code).toBe('POLICY_REFUSED')
      expect(kinds()).toEqual(['opened', 'bound'])
    }
  })

  it('refuses what no run needs, by its own limits', async () => {
    await using site = await start({ limits: { localSteps: { max: 5 } } })
    const peer = await double.peer()
    const { model, adapter } = manifest
    for (const harmful of [
      { clipNorm: 1e-30 },
      { clipNorm: 1e30 },
      { learningRate: 1e30 },
      { momentum: 0.9999 },
      { model: { ...model, featureScale: 1e23 } },
      { model: { ...model, maxTokens: 100_000 } },
      { adapter: { ...adapter, alpha: 1e20 } },
      { adapter: { ...adapter, rank: 1024, layers: [{ name: 'layer', dIn: 2 ** 20, dOut: 2 ** 20 }] } },
      { localSteps: 6 },
      { rounds: 1_000_000 },
    ]) {
      const reply = await peer.offer(sampleManifest(harmful))
      expect(reply, JSON.stringify(harmful)).toMatchObject({
        accepted: false,
        error: { code: expect.stringMatching(/^(POLICY_REFUSED|MESSAGE_INVALID)$/) }, // some are no manifest at all
      })
    }
    expect(kinds()).toEqual([])
    expect(site.events.filter(({ event }) => event === 'joined')).toEqual([])
    expect((await peer.offer(manifest)).accepted).toBe(true)
  })

  it('takes a bounded number of new runs, and one encoding for all that are alike (55 offers)', async () => {
    await using site = await start()
    const peer = await double.peer()
    const runId = (at: number) => `33333333-3333-4333-8333-${String(at).padStart(12, '0')}`
    const target = { epsilon: 0.01, delta: 1e-5 }
    const replies = await Promise.all(
      Array.from({ length: 55 }, (_, at) =>
        peer.offer(sampleManifest({ runId: runId(at), rounds: 1, localSteps: 1, target })),
      ),
    )
    expect(replies.filter(({ accepted }) => accepted).length).toBeLessThanOrEqual(16)
    expect(replies.at(-1)).toMatchObject({ accepted: false, error: { code: 'RATE_LIMITED' } })
    expect(
      readdirSync(join(folder.path, 'state', 'encoded'), { recursive: true }).filter((name) =>
        String(name).endsWith('.records'),
      ).length,
    ).toBeLessThanOrEqual(1)
    expect(site.events.filter(({ event }) => event === 'joined').length).toBeLessThanOrEqual(16)
  })

  it('tells by code that a round failed, and never more', async () => {
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    const invitation = double.invitation(manifest, 0)
    double.damage(invitation)
    await peer.invite(invitation)
    await site.told('round-failed')
    expect(await double.got('round-failed')).toEqual({
      runId: manifest.runId,
      round: 0,
      code: expect.stringMatching(/^FRAME_(CHECKSUM|MALFORMED)$/),
    })
    expect(double.sent.filter(({ kind }) => kind === 'round-failed')).toHaveLength(1)
  })
})

/** A gate that holds the first lot of a test until it is opened. */
function gated() {
  let open: () => void = () => {}
  let arrive: () => void = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const reached = new Promise<void>((resolve) => {
    arrive = resolve
  })
  return {
    reached,
    open: () => open(),
    wait: () => {
      arrive()
      return opened
    },
  }
}

/** The state of the release before, but for where it enrolled: the coordinator of a test is another one. */
function copyEarlierState(folder: string): void {
  for (const part of ['ledgers', 'checkpoints', 'outbox'])
    cpSync(fixture('ledgers-by-data-set', 'state', part), join(folder, 'state', part), { recursive: true })
}

describe('a site that its coordinator does not know any more', () => {
  it('enrols again with its key and its ledger, when it has a token', async () => {
    using folder = temporaryFolder()
    const [before, restored] = [new CoordinatorDouble(), new CoordinatorDouble()]
    const start = (double: CoordinatorDouble, enrolmentToken?: string) =>
      startSite({ folder: folder.path, transport: loopbackTransport(double), enrolmentToken })
    {
      await using site = await start(before, 'token')
      await site.told('connected')
    }
    await expect(start(restored)).rejects.toThrow('SIGNATURE_INVALID')
    await using site = await start(restored, 'token')
    await site.told('enrolled')
    const keyAt = ({ sent }: CoordinatorDouble) =>
      (sent.find(({ kind }) => kind === 'enrol')!.message as { publicKey: string }).publicKey
    expect(keyAt(restored)).toBe(keyAt(before))
  })
})
