import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'

/** What only the state folder of each has in it. */
const MARKS = {
  client: ['enrolments', 'ledgers'],
  coordinator: ['operator.token', 'statement.key', 'upload.secret'],
} as const

/**
 * A coordinator and a client have one option and one variable for their state folders, and must not have one folder:
 * whoever reads that of a client knows its records. A folder that both have used already is left to them.
 *
 * @throws FedsvdError CONFIG_INVALID for a folder that the other one uses
 */
export function requireOwnFolder(folder: string, whose: keyof typeof MARKS): void {
  const isOf = (one: keyof typeof MARKS): boolean => MARKS[one].some((name) => existsSync(join(folder, name)))
  const other = whose === 'client' ? 'coordinator' : 'client'
  if (isOf(whose) || !isOf(other)) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `a state folder that only this ${whose} uses`,
    got: `${folder}, which is that of a ${other}`,
    remedy: 'Name another one with --state-dir; FEDSVD_STATE_DIR counts for coordinators and clients alike.',
  })
}
