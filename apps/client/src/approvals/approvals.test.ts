import { chownSync, mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { CoordinatorDouble, type Peer } from '@fedsvd/testing/client/coordinator-double'
import { loopbackTransport } from '@fedsvd/testing/client/loopback-transport'
import { type SiteOptions, startSite } from '@fedsvd/testing/client/running-site'
import { RUN_B, sampleManifest } from '@fedsvd/testing/client/sample-run'
import { type TemporaryFolder, temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadIdentity } from '../identity/identity.ts'
import { type ApprovalsFolder, approvalsFolder, type Decision, decide } from './index.ts'

/*
 * A site that is asked before it joins a run, against a coordinator that hears nothing until it is decided.
 */
const manifest = sampleManifest()

let folder: TemporaryFolder
let state: string
let double: CoordinatorDouble
let approvals: ApprovalsFolder
beforeEach(() => {
  folder = temporaryFolder()
  state = join(folder.path, 'state')
  double = new CoordinatorDouble()
  approvals = approvalsFolder(state, 'site')
})
afterEach(() => folder[Symbol.dispose]())

const start = (policy: SiteOptions['policy'] = { approval: 'ask' }, more: Partial<SiteOptions> = {}) =>
  startSite({ folder: folder.path, transport: loopbackTransport(double), policy, ...more })

/** What `fedsvd site approve` and `decline` do. */
function decideAs(decision: Decision['decision'], changes: Partial<Decision> = {}): void {
  const run = approvals.pending()[0]!
  const { sign } = loadIdentity(state, 'http://double.test')
  approvals.record({ ...decide(run, decision, new Date(), sign), ...changes })
}

/** How an offer is answered; `silent` where it is not, although the site has handled all that came before. */
async function answered(reply: Promise<unknown>, peer: Peer): Promise<unknown> {
  await double.settled(peer)
  return await Promise.race([reply, Promise.resolve().then(() => 'silent')])
}

describe('a run that the policy has somebody asked about', () => {
  it('waits in silence, listed with its cost, and is joined once it is approved', async () => {
    await using site = await start()
    const peer = await double.peer()
    const reply = peer.offer(manifest)
    const { run } = await site.told('pending')
    expect(await answered(reply, peer)).toBe('silent')
    expect(double.sent.map(({ kind }) => kind)).not.toContain('ledger-report')
    expect(approvals.pending()).toEqual([run])
    expect(run).toMatchObject({ name: 'a test run', coordinator: 'http://double.test', model: 'none', steps: 20 })
    expect(run.terms.budget).toEqual({ epsilon: 6, delta: 1e-5 })
    expect(run.cost).toMatchObject({ epsilon: 6, chargedBefore: 0 })
    expect(run.cost.chargedAfter + run.cost.remainingAfter).toBeCloseTo(6, 9)
    expect(readdirSync(join(state, 'ledgers')).length).toBeGreaterThan(0)
    decideAs('approved')
    expect(await reply).toEqual({ accepted: true, terms: run.terms })
    expect(approvals.pending()).toEqual([])
    expect(await peer.invite(double.invitation(manifest, 0))).toEqual({ accepted: true })
    await site.told('round-delivered')
  })

  it('is declined under the code for reasons that stay here, and at every later offer', async () => {
    await using site = await start()
    const peer = await double.peer()
    const reply = peer.offer(manifest)
    await site.told('pending')
    decideAs('declined')
    expect(await reply).toMatchObject({ accepted: false, error: { code: 'SITE_DECLINED' } })
    expect(await peer.offer(manifest)).toMatchObject({ accepted: false })
    expect(approvals.pending()).toEqual([])
  })

  it('offered again takes the place of the older offer, and a decision that this site did not sign is none', async () => {
    await using site = await start()
    const peer = await double.peer()
    const reply = peer.offer(manifest)
    await site.told('pending')
    decideAs('declined', { signature: 'A'.repeat(86) })
    const again = peer.offer(manifest) // is judged by what is decided by now
    expect(await reply).toMatchObject({ accepted: false })
    expect(await answered(again, peer)).toBe('silent')
  })

  it('keeps its first manifest, over connections and restarts: whoever approves it may have looked at that one', async () => {
    const other = { ...manifest, target: { ...manifest.target, epsilon: 5 } }
    const changed = { accepted: false, error: { code: 'TERMS_CHANGED' } }
    {
      await using site = await start()
      let peer = await double.peer()
      void peer.offer({ ...manifest, target: { ...manifest.target, epsilon: 1 } })
      await site.told('pending')
      expect(await peer.offer(other)).toMatchObject(changed)
      expect(approvals.pending()).toMatchObject([{ terms: { budget: { epsilon: 1 } } }])
      peer.drop()
      await site.told('connected', 2)
      peer = await double.peer()
      expect(await peer.offer(other)).toMatchObject(changed)
    }
    await using _site = await start()
    const peer = await double.peer()
    expect(await peer.offer(other)).toMatchObject(changed)
    expect(approvals.pending()).toEqual([])
  })

  it('goes on waiting beside a decision that cannot be read, and the process goes on', async () => {
    await using site = await start()
    const peer = await double.peer()
    const reply = peer.offer(manifest)
    const { run } = await site.told('pending')
    const unreadable = join(state, 'approvals', 'site', `${run.runId}.decision.json`)
    mkdirSync(unreadable)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(approvals.pending()).toEqual([run])
    rmdirSync(unreadable)
    decideAs('approved')
    expect(await reply).toMatchObject({ accepted: true })
  })

  it.runIf(process.getuid?.() === 0)(
    'can be decided about by root: the client reads what belongs to its user',
    async () => {
      await using site = await start()
      const peer = await double.peer()
      void peer.offer(manifest)
      const { run } = await site.told('pending')
      const place = join(state, 'approvals', 'site')
      chownSync(place, 12345, 12346)
      decideAs('declined')
      expect(statSync(join(place, `${run.runId}.decision.json`))).toMatchObject({ uid: 12345, gid: 12346 })
    },
  )

  it('does not keep other offers waiting, and a decision outlives the process', async () => {
    {
      await using site = await start()
      const peer = await double.peer()
      void peer.offer(manifest)
      await site.told('pending')
      void peer.offer({ ...manifest, runId: RUN_B })
      await site.told('pending', 2)
      expect(approvals.pending()).toHaveLength(2)
      decideAs('approved', {})
    }
    await using site = await start()
    expect(approvals.pending()).toEqual([])
    const peer = await double.peer()
    const replies = [peer.offer(manifest), peer.offer({ ...manifest, runId: RUN_B })]
    await site.told('joined')
    await site.told('pending')
    expect(await Promise.race(replies)).toMatchObject({ accepted: true })
  })

  it('waits no more when it ends, or the connection does', async () => {
    await using site = await start()
    let peer = await double.peer()
    void peer.offer(manifest)
    await site.told('pending')
    peer.runEnded({ runId: manifest.runId, state: 'stopped' })
    await site.told('run-ended')
    expect(approvals.pending()).toEqual([])
    void peer.offer({ ...manifest, runId: RUN_B })
    await site.told('pending', 2)
    peer.drop()
    await site.told('disconnected')
    expect(approvals.pending()).toEqual([])
    await site.told('connected', 2)
    peer = await double.peer()
    void peer.offer({ ...manifest, runId: RUN_B })
    await site.told('pending', 3)
  })

  it('is refused at once where the policy does not allow it, and at most so many wait', async () => {
    await using site = await start({ approval: 'ask', maxSteps: 19 })
    const peer = await double.peer()
    expect(await peer.offer(manifest)).toMatchObject({ accepted: false, error: { code: 'POLICY_REFUSED' } })
    const small = (n: number) => ({ ...manifest, rounds: 1, runId: `00000000-0000-4000-8000-0000000000${10 + n}` })
    for (let n = 0; n < 16; n += 1) {
      void peer.offer(small(n))
      await site.told('pending', n + 1)
    }
    expect(await peer.offer(small(16))).toMatchObject({ accepted: false, error: { code: 'RATE_LIMITED' } })
  })
})

describe('a run that the policy allows or refuses by itself', () => {
  it('is judged by the grants of the month, and by its steps when it is extended', async () => {
    await using _site = await start({ approval: 'auto', maxEpsilonPerMonth: 8, maxSteps: 20 })
    const peer = await double.peer()
    const target = { epsilon: 4, delta: 1e-5 }
    expect(await peer.offer({ ...manifest, target })).toMatchObject({ accepted: true })
    const other = { ...manifest, runId: RUN_B, target: { ...target, epsilon: 4.5 } }
    expect(await peer.offer(other)).toMatchObject({ accepted: false, error: { code: 'POLICY_REFUSED' } })
    const extended = { ...double.invitation(manifest, 4), rounds: 5 }
    expect(await peer.invite(extended)).toMatchObject({ accepted: false, error: { code: 'POLICY_REFUSED' } })
  })
})
