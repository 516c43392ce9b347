import { linkSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ledgerPath, openLedger } from '../../apps/client/src/ledger/index.ts'
import { BUDGET, FINGERPRINT, RUN_A, sampleBound } from '../../packages/testing/src/client/sample-run.ts'
import { temporaryFolder } from '../../packages/testing/src/client/temporary-folder.ts'

/*
 * The mistake: a ledger that is reached by two names, and so by two lock files, was spent by two processes at once,
 * each of which saw the whole budget.
 */

describe('one ledger', () => {
  it.each<[string, (ledgers: string, other: string) => void]>([
    ['a folder that is a symbolic link', (ledgers, other) => symlinkSync(ledgers, join(other, 'ledgers'))],
    [
      'a file that is a symbolic link',
      (ledgers, other) => {
        mkdirSync(join(other, 'ledgers'))
        symlinkSync(join(ledgers, 'site.jsonl'), join(other, 'ledgers', 'site.jsonl'))
      },
    ],
    [
      'a file that is a hard link, as some backups are made',
      (ledgers, other) => {
        mkdirSync(join(other, 'ledgers'))
        linkSync(join(ledgers, 'site.jsonl'), join(other, 'ledgers', 'site.jsonl'))
      },
    ],
  ])('is held by one client at a time by the name of %s', (_, makeName) => {
    using folder = temporaryFolder()
    const [one, other] = [join(folder.path, 'one'), join(folder.path, 'other')]
    for (const name of [one, other]) mkdirSync(name)
    {
      using ledger = openLedger(one, FINGERPRINT, BUDGET)
      ledger.bind(sampleBound())
      makeName(join(one, 'ledgers'), other)
      expect(() => openLedger(other, FINGERPRINT, BUDGET)).toThrow('LEDGER_LOCKED')
      ledger.reserve(RUN_A, 0)
    }
    using later = openLedger(other, FINGERPRINT, BUDGET)
    expect(later.state.attempts).toHaveLength(1)
  })

  it('is held where its lock file was removed', () => {
    using folder = temporaryFolder()
    using ledger = openLedger(folder.path, FINGERPRINT, BUDGET)
    rmSync(`${ledgerPath(folder.path)}.lock`)
    expect(() => openLedger(folder.path, FINGERPRINT, BUDGET)).toThrow('LEDGER_LOCKED')
    ledger.bind(sampleBound())
  })
})
