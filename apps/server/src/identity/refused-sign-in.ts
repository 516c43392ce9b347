import type { AuditDraft, AuditStore, OperatorRecord } from '../storage/records/index.ts'

/** Notes in the audit log that somebody was not let in, and as whom where that is known. */
export async function noteRefusal(
  audit: AuditStore,
  refused: {
    readonly operator: OperatorRecord | undefined
    readonly at: number
    readonly detail: AuditDraft['detail']
  },
): Promise<void> {
  const { operator, at, detail } = refused
  const object = operator === undefined ? 'operator:unknown' : `operator:${operator.id}`
  await audit.append({ at, actor: 'anonymous', action: 'session.refuse', object, detail })
}
