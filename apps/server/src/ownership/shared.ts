import { createHash } from 'node:crypto'
import { FedsvdError } from '@fedsvd/core/errors'
import type { CoordinatorRecord } from '../storage/records/index.ts'

/** A fingerprint of what coordinators on one database have to share; it gives none of it away. */
export function fingerprintOf(...parts: readonly string[]): string {
  return createHash('sha256')
    .update(JSON.stringify(['fedsvd-shared-v1', ...parts]))
    .digest('hex')
}

/** @throws FedsvdError CONFIG_INVALID when a coordinator that is alive has other secrets, or another object store */
export function checkShared(shared: string, others: readonly CoordinatorRecord[]): void {
  if (others.every((other) => other.shared === shared)) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'the operator token, the upload secret and the object store of the other coordinators on this database',
    got: 'at least one that differs',
    remedy:
      'Set FEDSVD_OPERATOR_TOKEN, FEDSVD_UPLOAD_SECRET, FEDSVD_STATEMENT_KEY and FEDSVD_BLOBS alike for all of them.',
  })
}
