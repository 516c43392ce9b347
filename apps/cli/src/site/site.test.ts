import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { approvalsFolder, decisionOn, type PendingRun } from '@fedsvd/client/approvals'
import { eventLog, type LoggedEvent } from '@fedsvd/client/event-log'
import { loadIdentity } from '@fedsvd/client/identity'
import { openLedger } from '@fedsvd/client/ledger'
import { lockFile } from '@fedsvd/engine/files/locks'
import { FINGERPRINT, sampleBound, TERMS } from '@fedsvd/testing/client/sample-run'
import { type TemporaryFolder, temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decideRun } from './decide-run.ts'
import { runsUnderWay } from './runs-under-way.ts'
import { clientText } from './show-site.ts'
import { siteClients } from './site-state.ts'
import { newEvents, watchLog } from './watch-log.ts'

const NOW = new Date('2026-03-01T09:00:00Z')
const at = NOW.toISOString()
const [RUN_A, RUN_B] = ['11111111-1111-4111-8111-111111111111', '12222222-2222-4222-8222-222222222222']
const joined = (runId: string): LoggedEvent => ({
  at,
  event: 'joined',
  runId,
  name: 'spam',
  terms: TERMS,
  unit: 'record',
})
const told: LoggedEvent = {
  at,
  event: 'budget',
  name: 'site',
  budget: TERMS.budget,
  asked: TERMS.budget,
  source: 'settings',
  unit: 'record',
  epsilonCharged: 0,
  remaining: 6,
  ledger: '/state/ledgers/site.jsonl',
}
const pendingRun = (runId: string): PendingRun => ({
  runId,
  name: 'spam',
  coordinator: 'https://fedsvd.example:7373',
  manifestSha256: 'a'.repeat(64),
  budget: 'site',
  offeredAt: at,
  model: 'starter',
  task: 'sequence-classification',
  method: 'fedsvd',
  labels: ['ham', 'spam'],
  unit: 'record',
  rounds: 4,
  steps: 20,
  terms: TERMS,
  cost: { epsilon: 6, chargedBefore: 1, chargedAfter: 4, remainingAfter: 2 },
})

describe('the runs under way', () => {
  it('are those that were joined since the start and have not ended, each where it is', () => {
    const round = { runId: RUN_B, round: 1 }
    const log: readonly LoggedEvent[] = [
      joined(RUN_A), // before the start
      told,
      joined(RUN_B),
      { at, event: 'round-started', ...round, rounds: 4 },
      { at, event: 'step', ...round, step: 2, steps: 5, seconds: 1 },
    ]
    const here = { runId: RUN_B, name: 'spam', terms: TERMS, round: 1, rounds: 4, step: 2, steps: 5, isPaused: false }
    expect(runsUnderWay(log)).toEqual([here])
    expect(runsUnderWay([...log, { at, event: 'run-paused', ...round }])).toEqual([{ ...here, isPaused: true }])
    expect(runsUnderWay([...log, { at, event: 'run-ended', runId: RUN_B, state: 'completed' }])).toEqual([])
  })
})

describe('the log of a site that is watched', () => {
  const event = (reason: string): LoggedEvent => ({ at, event: 'disconnected', reason })

  it('shows what came behind what was seen, also when the file was put aside', () => {
    const [one, two, three] = [event('1'), event('2'), event('3')]
    expect(newEvents([one], [one, two, three])).toEqual([two, three])
    expect(newEvents([one, two], [one, two])).toEqual([])
    expect(newEvents([one, two], [two, three])).toEqual([three])
    expect(newEvents([one], [two])).toEqual([two])
    expect(newEvents([], [one])).toEqual([one])
  })

  it('until it is told to stop', async () => {
    const stop = new AbortController()
    const events = [event('before')]
    const seen: LoggedEvent[] = []
    const watching = watchLog(
      () => [...events],
      (one) => seen.push(one) && stop.abort(),
      stop.signal,
      1,
    )
    events.push(event('new'))
    await watching
    expect(seen).toEqual([event('new')])
  })
})

describe('a state folder', () => {
  let folder: TemporaryFolder
  beforeEach(() => {
    folder = temporaryFolder()
  })
  afterEach(() => folder[Symbol.dispose]())
  const running = () => {
    mkdirSync(join(folder.path, 'running'))
    return lockFile(join(folder.path, 'running', 'site.lock'), () => new Error() as never)
  }

  it('on which no client has run is told so', () => {
    expect(() => siteClients(folder.path)).toThrow('CONFIG_INVALID: expected a state folder on which a client has run')
    expect(() => decideRun(join(folder.path, 'no'), RUN_A, 'approved', NOW)).toThrow('no such folder')
  })

  it('shows what runs, what is spent and what waits, while the client runs and behind it', () => {
    const client = running()
    const log = eventLog(folder.path, 'site', () => NOW)
    const { at: _, ...start } = told
    const { at: __, ...join } = joined(RUN_A)
    for (const one of [start, join]) log(one as never)
    approvalsFolder(folder.path, 'site').note(pendingRun(RUN_B))
    using ledger = openLedger(folder.path, FINGERPRINT, TERMS.budget)
    ledger.bind(sampleBound())
    ledger.reserve(RUN_A, 0)
    const [site] = siteClients(folder.path)
    expect(site).toMatchObject({
      budget: 'site',
      isRunning: true,
      runs: [{ runId: RUN_A }],
      pending: [{ runId: RUN_B }],
    })
    expect(site!.spending).toMatchObject({ name: 'site', budget: { epsilon: 6 }, unit: 'record' })
    expect(site!.spending!.epsilonCharged).toBeGreaterThan(0)
    const text = clientText(site!, 1)
    expect(text).toMatch(/^client {3}of the budget "site": running since 2026-03-01/)
    expect(text).toMatch(
      /waiting for a decision:\n *run .*\n12222222-.* <= 6 +0\.00001 +2\.000 +20 +1\.0000 +4\.0000 +2\.0000/,
    )
    expect(text.split('\n').at(-1)).toContain('joined "spam"')
    client[Symbol.dispose]()
    expect(siteClients(folder.path)).toMatchObject([{ isRunning: false, runs: [], pending: [] }])
  })

  it('takes decisions about runs that wait, named by their beginning, signed with the key of the site', () => {
    using _client = running()
    const approvals = approvalsFolder(folder.path, 'site')
    for (const runId of [RUN_A, RUN_B]) approvals.note(pendingRun(runId))
    expect(() => decideRun(folder.path, '1', 'approved', NOW)).toThrow('which names several')
    expect(() => decideRun(folder.path, 'f', 'approved', NOW)).toThrow(`expected one of the runs ${RUN_A} ("spam")`)
    const { decision } = decideRun(folder.path, RUN_A.slice(0, 4), 'approved', NOW)
    expect(approvals.decision(RUN_A)).toEqual(decision)
    const { publicKey } = loadIdentity(folder.path, 'https://fedsvd.example:7373')
    expect(decisionOn(pendingRun(RUN_A), decision, publicKey)).toBe('approved')
    expect(approvals.decision(RUN_B)).toBeUndefined()
  })

  it('never takes a name that a coordinator chose for the identifier of another run', () => {
    using _client = running()
    const approvals = approvalsFolder(folder.path, 'site')
    approvals.note(pendingRun(RUN_A))
    approvals.note({ ...pendingRun(RUN_B), name: RUN_A })
    expect(decideRun(folder.path, RUN_A, 'approved', NOW).run.runId).toBe(RUN_A)
    approvals.note({ ...pendingRun(RUN_B), name: RUN_A.slice(0, 8) })
    expect(() => decideRun(folder.path, RUN_A.slice(0, 8), 'approved', NOW)).toThrow('which names several')
    expect(decideRun(folder.path, 'spam', 'approved', NOW).run.runId).toBe(RUN_A)
  })
})
