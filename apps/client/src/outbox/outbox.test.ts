import { appendFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BUDGET, FINGERPRINT, perStep, RUN_A, RUN_B, sampleBound } from '@fedsvd/testing/client/sample-run'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { describe, expect, it } from 'vitest'
import { openLedger, sha256Hex } from '../ledger/index.ts'
import { fileOutbox, requireReserved } from './outbox.ts'

const KEY = { runId: RUN_A, round: 3, attempt: 2 }
const FRAME = Buffer.from('a frame')
const makeFilter = perStep(0.01)

describe('the outbox', () => {
  it('gives back the bytes that were put in', async () => {
    using folder = temporaryFolder()
    const outbox = fileOutbox(folder.path, FINGERPRINT)
    expect(outbox.find(KEY)).toBeUndefined()
    const hash = await outbox.put(KEY, FRAME)
    expect(hash).toBe(sha256Hex(FRAME))
    expect(outbox.find(KEY)).toBe(hash)
    expect(Buffer.compare(outbox.get(KEY, hash), FRAME)).toBe(0)
  })

  it('refuses other bytes than the ledger recorded, and none', async () => {
    using folder = temporaryFolder()
    const outbox = fileOutbox(folder.path, FINGERPRINT)
    const hash = await outbox.put(KEY, FRAME)
    expect(() => outbox.get({ ...KEY, attempt: 1 }, hash)).toThrow(/LEDGER_DAMAGED.*got no file/)
    const place = join(folder.path, 'outbox', FINGERPRINT)
    appendFileSync(join(place, readdirSync(place)[0]!), '!')
    expect(() => outbox.get(KEY, hash)).toThrow(/LEDGER_DAMAGED.*got other bytes/)
  })

  it('is cleared of earlier rounds of one run only, or of all of it', async () => {
    using folder = temporaryFolder()
    const outbox = fileOutbox(folder.path, FINGERPRINT)
    const keys = [KEY, { ...KEY, round: 4 }, { ...KEY, round: 10 }, { ...KEY, runId: RUN_B }]
    for (const key of keys) await outbox.put(key, FRAME)
    const there = () => keys.map((key) => outbox.find(key) !== undefined)
    outbox.clear(RUN_A, 10)
    expect(there()).toEqual([false, false, true, true])
    outbox.clear(RUN_A)
    expect(there()).toEqual([false, false, false, true])
  })

  it('notes the state of a round that is begun, and no more of a run than may be gone on with', () => {
    using folder = temporaryFolder()
    const outbox = fileOutbox(folder.path, FINGERPRINT)
    const begin = (runId: string, round: number, state: string, keep: number[] = [], isNew = true) =>
      outbox.begin({ runId, round, isNew, keep }, state)
    expect(begin(RUN_B, 0, 'b')).toBe('b')
    for (let round = 0; round < 50; round += 1) expect(begin(RUN_A, round, `a${round}`, [7])).toBe(`a${round}`)
    const names = [`${RUN_A}-49.state`, `${RUN_A}-7.state`, `${RUN_B}-0.state`]
    expect(readdirSync(join(folder.path, 'states')).sort()).toEqual(names.sort())
    expect(begin(RUN_A, 7, 'another', [7], false)).toBe('a7')
  })

  it('has a frame that was made before the data changed', async () => {
    using folder = temporaryFolder()
    await fileOutbox(folder.path, FINGERPRINT).put(KEY, FRAME)
    expect(fileOutbox(folder.path, '00'.repeat(32)).find(KEY)).toBe(sha256Hex(FRAME))
  })
})

describe('requireReserved', async () => {
  it('accepts frames that the ledger reserved, and what a crash left half written', async () => {
    using folder = temporaryFolder()
    using ledger = openLedger(folder.path, FINGERPRINT, BUDGET, { makeFilter })
    requireReserved(folder.path, ledger)
    ledger.bind(sampleBound())
    await fileOutbox(folder.path, FINGERPRINT).put(ledger.reserve(RUN_A, 0).entry, FRAME)
    writeFileSync(join(folder.path, 'outbox', FINGERPRINT, `${RUN_A}-9-1.frame.77.tmp`), 'half')
    expect(() => requireReserved(folder.path, ledger)).not.toThrow()
  })

  it('refuses a frame without a reservation: the ledger is older than the outbox', async () => {
    using folder = temporaryFolder()
    using ledger = openLedger(folder.path, FINGERPRINT, BUDGET, { makeFilter })
    ledger.bind(sampleBound())
    const { entry } = ledger.reserve(RUN_A, 0)
    await fileOutbox(folder.path, FINGERPRINT).put({ ...entry, attempt: 2 }, FRAME)
    expect(() => requireReserved(folder.path, ledger)).toThrow(/LEDGER_DAMAGED.*attempt 2 of round 1/)
  })
})
