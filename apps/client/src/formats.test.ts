import { createHash } from 'node:crypto'
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CoordinatorDouble } from '@fedsvd/testing/client/coordinator-double'
import { fixture } from '@fedsvd/testing/client/fixtures'
import { loopbackTransport } from '@fedsvd/testing/client/loopback-transport'
import { startSite } from '@fedsvd/testing/client/running-site'
import { sampleManifest } from '@fedsvd/testing/client/sample-run'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { describe, expect, it } from 'vitest'
import { replay, spentEvents, verifyLedgerBytes } from './ledger/index.ts'
import { seenData } from './overlap/index.ts'
import { isSigned } from './owner/statement.ts'

/*
 * Whatever this release reads that it may have to read for ever: a later one keeps these fixtures and this test, and
 * adds its own.
 */
const STATE = fixture('state-0.1.0', 'state')
const DATASET = 'ec3d090530039879cf2eed8b7c331d46e68a20468d04aa4101a52ac66bdf359f'
const manifest = sampleManifest()

describe('formats of release 0.1.0', () => {
  it('ledger format 2: every line is read, with what was spent and what the owner signed', () => {
    const { entries, tail } = verifyLedgerBytes(readFileSync(join(STATE, 'ledgers', 'site.jsonl')), 'site')
    const kinds = entries.map(({ fact }) => fact.kind)
    expect(tail).toBe('none')
    expect(new Set(kinds)).toEqual(
      new Set([
        'opened',
        'bound',
        'rule-fixed',
        'reserved',
        'stepped',
        'finished',
        'acknowledged',
        'owner',
        'stated',
        'charged',
      ]),
    )
    const state = replay(entries)!
    expect(state).toMatchObject({ name: 'site', budget: { epsilon: 6, delta: 1e-5 } })
    expect(spentEvents(state).map(({ steps }) => steps)).toEqual([5, 5, 1])
    expect(state.statements.map((statement) => [statement.budget, isSigned(statement)])).toEqual([['trial', true]])
  })

  it('digests of data sets, format 1: the same data overlap with themselves', () => {
    const seen = seenData(STATE)
    const others = [{ dataset: DATASET, budget: 'site' }]
    expect(() => seen.requireDisjoint(DATASET, others)).toThrow(/DATA_OVERLAPS.*all of its records/)
    expect(() => seen.requireDisjoint('ab'.repeat(32), others)).toThrow(/DATA_OVERLAPS.*cannot be compared/)
  })

  it('key, frames and saved steps: a frame is what the ledger says, and a round that broke off goes on behind its step', async () => {
    using folder = temporaryFolder()
    cpSync(STATE, join(folder.path, 'state'), { recursive: true })
    const double = new CoordinatorDouble()
    await using site = await startSite({ folder: folder.path, transport: loopbackTransport(double) })
    expect((await site.told('data-loaded')).fingerprint).toBe(DATASET)
    const peer = await double.peer()
    await peer.offer(manifest)
    const frames = join(STATE, 'outbox', DATASET)
    const finished = readFileSync(join(frames, readdirSync(frames)[0]!))
    await peer.invite(double.invitation(manifest, 1))
    expect(await site.told('round-resumed')).toMatchObject({ round: 1, step: 2, steps: 5 })
    await site.told('round-delivered')
    expect(createHash('sha256').update(finished).digest('hex')).toBe(
      replay(verifyLedgerBytes(readFileSync(join(folder.path, 'state/ledgers/site.jsonl')), 'site').entries)!
        .attempts[0]!.frameSha256,
    )
  })
})
