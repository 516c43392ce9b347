import { z } from 'zod'
import { LIMITS, numberIn, wholeIn } from '../limits/index.ts'

const hash = z.string().regex(/^[0-9a-f]{64}$/)

/** One line of the audit log: who did what to what, chained to the line before it. */
export const auditEntrySchema = z.strictObject({
  /** 1 for the first entry, and one more for each that follows. */
  seq: wholeIn(LIMITS.count).min(1),
  at: z.iso.datetime(),
  /** `operator:<id>`, `operator-token`, `client:<id>` or `anonymous`. */
  actor: z.string(),
  action: z.string(),
  /** What was acted on, such as `run:<id>`. */
  object: z.string(),
  /** Circumstances; never a secret. */
  detail: z.record(z.string(), z.union([z.string(), numberIn(LIMITS.measured), z.boolean(), z.array(z.string())])),
  /** Hash of the entry before; {@link AUDIT_GENESIS} for the first. */
  previousHash: hash,
  /** Hex SHA-256 of {@link auditEntryText}. */
  hash,
})
export type AuditEntry = z.infer<typeof auditEntrySchema>

/** GET /v1/audit-log. */
export const auditPageSchema = z.strictObject({ entries: z.array(auditEntrySchema) })

/** GET /v1/audit-log/search. */
export const auditFindingsSchema = z.strictObject({
  /** Those that fit, newest first. */
  entries: z.array(auditEntrySchema),
  /** What actors and objects of these are called by people, where they have a name: a run, a client, an operator. */
  names: z.record(z.string(), z.string()),
  /** For the next page: `?before=`; absent on the last one. */
  next: wholeIn(LIMITS.count).optional(),
})
export type AuditFindings = z.infer<typeof auditFindingsSchema>

/**
 * GET /v1/audit-log/verify. A chain cannot show that its newest entries were cut off: compare with a head noted before.
 */
export const auditVerdictSchema = z.strictObject({
  intact: z.boolean(),
  entries: wholeIn(LIMITS.count),
  /** Hash of the newest intact entry. */
  head: hash,
  /** The first fault, where there is one. */
  fault: z.strictObject({ seq: wholeIn(LIMITS.count), reason: z.string() }).optional(),
})
export type AuditVerdict = z.infer<typeof auditVerdictSchema>

export const AUDIT_GENESIS = '0'.repeat(64)

/** What the hash of an entry covers: everything but the hash itself, with the keys of `detail` in order. */
export function auditEntryText(entry: Omit<AuditEntry, 'hash'>): string {
  const { seq, at, actor, action, object, detail, previousHash } = entry
  const sorted = Object.entries(detail).sort(([left], [right]) => (left < right ? -1 : 1))
  return JSON.stringify(['fedsvd-audit-v1', seq, at, actor, action, object, sorted, previousHash])
}

/** Where a chain has been verified up to; the beginning is `{ entries: 0, head: AUDIT_GENESIS }`. */
export interface AuditPosition {
  readonly entries: number
  readonly head: string
}

/** Follows the chain over the entries that come after `from`; stops at the first that does not fit. */
export function followAudit(
  from: AuditPosition,
  entries: readonly AuditEntry[],
  sha256Hex: (text: string) => string,
): AuditVerdict {
  let { entries: count, head } = from
  for (const entry of entries) {
    const reason = faultOf(entry, count + 1, head, sha256Hex)
    if (reason !== undefined) return { intact: false, entries: count, head, fault: { seq: count + 1, reason } }
    count += 1
    head = entry.hash
  }
  return { intact: true, entries: count, head }
}

function faultOf(
  entry: AuditEntry,
  seq: number,
  head: string,
  sha256Hex: (text: string) => string,
): string | undefined {
  if (entry.seq !== seq) return `entry ${seq} is missing; ${entry.seq} stands in its place`
  if (entry.previousHash !== head) return 'it does not follow the entry before it'
  if (entry.hash !== sha256Hex(auditEntryText(entry))) return 'its content is not what was hashed'
  return undefined
}
