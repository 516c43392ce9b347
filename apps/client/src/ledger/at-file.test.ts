import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { FedsvdError, systemFault } from '@fedsvd/core/errors'
import { atFile } from '@fedsvd/engine/files'
import { fullDisk } from '@fedsvd/testing/client/full-disk'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { expect, it } from 'vitest'
import { ledgerPath, openLedger } from './ledger.ts'

const BUDGET = { epsilon: 6, delta: 1e-5 }

it('names the file in faults of our own and of the system that name none', () => {
  const ours = new FedsvdError('LEDGER_DAMAGED', { expected: 'a line', got: 'none', remedy: 'Restore it.' })
  const fail = (error: Error) => () => atFile('/site/a.jsonl', () => raise(error))
  expect(fail(ours)).toThrow('LEDGER_DAMAGED: expected a line, got none, in /site/a.jsonl. Restore it.')
})

it('stands in the fault of a damaged ledger, and in that of a full disk', () => {
  using folder = temporaryFolder()
  const path = ledgerPath(folder.path)
  openLedger(folder.path, 'a'.repeat(64), BUDGET)[Symbol.dispose]()
  {
    using _disk = fullDisk(1) // room for the lock
    const fault = caught(() => openLedger(folder.path, 'a'.repeat(64), { ...BUDGET, epsilon: 5 }))
    expect(systemFault(fault)?.message).toContain(`to be able to write ${path}, got no space left on the disk`)
  }
  appendFileSync(path, 'not a line\n')
  expect(() => openLedger(folder.path, 'a'.repeat(64), BUDGET)).toThrow(
    `in ${join(folder.path, 'ledgers', 'site.jsonl')}`,
  )
})

function raise(error: Error): never {
  throw error
}

function caught(action: () => unknown): unknown {
  try {
    return action()
  } catch (error) {
    return error
  }
}
