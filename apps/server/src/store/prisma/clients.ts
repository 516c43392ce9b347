import { isLarger, tokenRefused } from '../refusals.ts'
import type { ClientStore } from '../store.ts'
import { appendAudit } from './audit.ts'
import type { PrismaClient } from './generated/client.ts'
import { capFrom, clientFrom, date } from './rows.ts'
import { SITE_LEVEL } from './site-level.ts'

export function prismaClients(prisma: PrismaClient): ClientStore {
  return {
    async addTokens(tokens, audit) {
      const data = tokens.map(({ hash, createdAt, expiresAt }) => ({
        hash,
        createdAt: date(createdAt),
        expiresAt: date(expiresAt),
      }))
      await prisma.$transaction(async (tx) => {
        await tx.enrolmentToken.createMany({ data })
        await appendAudit(tx, audit)
      })
    },
    async enrol(tokenHash, { id, name, publicKey, enrolledAt }, audit) {
      const now = date(enrolledAt)
      await prisma.$transaction(async (tx) => {
        await tx.client.create({ data: { id, name, publicKey, enrolledAt: now } })
        // One conditional update decides: of two callers with one token, one finds it used.
        const { count } = await tx.enrolmentToken.updateMany({
          where: { hash: tokenHash, usedAt: null, expiresAt: { gt: now } },
          data: { usedAt: now, clientId: id },
        })
        if (count === 1) return await appendAudit(tx, audit)
        const token = await tx.enrolmentToken.findUnique({ where: { hash: tokenHash } })
        if (token === null) throw tokenRefused('an unknown token')
        throw tokenRefused(token.usedAt === null ? 'an expired token' : 'a token that was used before')
      })
    },
    async find(clientId) {
      const row = await prisma.client.findUnique({ where: { id: clientId } })
      return row === null ? undefined : clientFrom(row)
    },
    async list() {
      return (await prisma.client.findMany({ orderBy: [{ name: 'asc' }, { id: 'asc' }] })).map(clientFrom)
    },
    revoke: (clientId, at, audit) =>
      prisma.$transaction(async (tx) => {
        const { count } = await tx.client.updateMany({
          where: { id: clientId, revokedAt: null },
          data: { revokedAt: date(at) },
        })
        if (count === 1) await appendAudit(tx, audit)
        return count === 1
      }),
    async revokedAmong(clientIds) {
      const where = { id: { in: [...clientIds] }, revokedAt: { not: null } }
      return (await prisma.client.findMany({ where, select: { id: true } })).map(({ id }) => id)
    },
    async names(clientIds) {
      const rows = await prisma.client.findMany({
        where: { id: { in: [...clientIds] } },
        select: { id: true, name: true },
      })
      return new Map(rows.map(({ id, name }) => [id, name]))
    },
    async seen(clientId, at, version) {
      const data = { lastSeenAt: date(at), ...(version !== undefined && { version }) }
      await prisma.client.updateMany({ where: { id: clientId }, data })
    },
    async noteLedger(clientId, { length, head }) {
      const isNewer = { OR: [{ ledgerLength: null }, { ledgerLength: { lt: length } }] }
      const data = { ledgerLength: length, ledgerHead: head }
      const { count } = await prisma.client.updateMany({ where: { id: clientId, ...isNewer }, data })
      if (count === 1) return { length, head }
      const row = await prisma.client.findUnique({ where: { id: clientId } })
      return row === null ? undefined : clientFrom(row).ledger
    },
    async capsOf(clientId) {
      return (await prisma.budgetCap.findMany({ where: { clientId }, orderBy: { id: 'asc' } })).map(capFrom)
    },
    async caps() {
      return (await prisma.budgetCap.findMany({ orderBy: { id: 'asc' } })).map(capFrom)
    },
    setCap: ({ clientId, epsilon, delta, actor, at }, audit) =>
      prisma.$transaction(async (tx) => {
        await tx.$queryRaw`SELECT 1 FROM "Client" WHERE "id" = ${clientId}::uuid FOR UPDATE` // one at a time
        const before = await tx.budgetCap.findFirst({ where: { clientId }, orderBy: { id: 'desc' } })
        if (before !== null && isLarger({ epsilon, delta }, before)) {
          const used = await tx.privacyEvent.findFirst({
            where: { clientId, voided: false, unit: SITE_LEVEL },
            select: { clientId: true },
          })
          if (used !== null) return false
        }
        await tx.budgetCap.create({ data: { clientId, epsilon, delta, actor, at: date(at) } })
        await appendAudit(tx, audit)
        return true
      }),
  }
}
