import type { AuditEntry } from '@fedsvd/core/protocol'
import { seal } from '../audit-chain.ts'
import type { AuditDraft } from '../records.ts'
import type { AuditStore } from '../store.ts'
import type { AuditEntry as AuditRow, Prisma, PrismaClient } from './generated/client.ts'
import { date } from './rows.ts'

/** An advisory lock that each append holds to the end of its transaction, so that entries are chained one at a time. */
const CHAIN_LOCK = 72707370

export function prismaAudit(prisma: PrismaClient): AuditStore {
  return {
    append: (draft) => prisma.$transaction((tx) => appendAudit(tx, draft)),
    async page(seq, limit) {
      const rows = await prisma.auditEntry.findMany({
        where: { seq: { gt: seq } },
        orderBy: { seq: 'asc' },
        take: limit,
      })
      return rows.map(entryOf)
    },
    async search({ before, limit, actors, objects, action, from, to }) {
      const rows = await prisma.auditEntry.findMany({
        where: {
          ...(before !== undefined && { seq: { lt: before } }),
          ...(actors && { actor: { in: [...actors] } }),
          ...(objects && { object: { in: [...objects] } }),
          ...(action !== undefined && { action: { contains: action } }),
          at: { ...(from !== undefined && { gte: date(from) }), ...(to !== undefined && { lte: date(to) }) },
        },
        orderBy: { seq: 'desc' },
        take: limit,
      })
      return rows.map(entryOf)
    },
  }
}

function entryOf(row: AuditRow): AuditEntry {
  return { ...row, at: row.at.toISOString(), detail: row.detail as AuditEntry['detail'] }
}

/**
 * Appends within the transaction of an action. Call it last: the holder of the lock must wait for nothing else.
 * Without the lock, the unique `previousHash` would still refuse a fork.
 */
export async function appendAudit(tx: Prisma.TransactionClient, draft: AuditDraft | undefined): Promise<void> {
  if (draft === undefined) return
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(${CHAIN_LOCK})`
  const last = await tx.auditEntry.findFirst({ orderBy: { seq: 'desc' }, select: { seq: true, hash: true } })
  await tx.auditEntry.create({ data: seal(draft, last ?? undefined) })
}
