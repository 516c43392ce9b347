import { createHash } from 'node:crypto'
import { AUDIT_GENESIS, type AuditEntry, auditEntryText } from '@fedsvd/core/protocol'
import type { AuditDraft } from './records.ts'

export function auditHash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** The draft as the entry that follows `last`; as the first where there is none. */
export function seal(draft: AuditDraft, last: Pick<AuditEntry, 'seq' | 'hash'> | undefined): AuditEntry {
  const { actor, action, object, detail } = draft
  const entry = {
    seq: (last?.seq ?? 0) + 1,
    at: new Date(draft.at).toISOString(),
    actor,
    action,
    object,
    detail,
    previousHash: last?.hash ?? AUDIT_GENESIS,
  }
  return { ...entry, hash: auditHash(auditEntryText(entry)) }
}
