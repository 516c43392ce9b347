import { nameKey } from '@fedsvd/core/protocol'
import { enrolledUnder } from '../namesakes.ts'
import type { ClientRecord } from '../records.ts'
import { isLarger, tokenOfAnother, tokenRefused } from '../refusals.ts'
import type { ClientStore } from '../store.ts'
import { appendAudit } from './audit.ts'
import type { Prisma, PrismaClient } from './generated/client.ts'
import { capFrom, clientFrom, date } from './rows.ts'
import { SITE_LEVEL } from './site-level.ts'

/** Held by an enrolment to its end. */
const NAMES_LOCK = 72707371

export function prismaClients(prisma: PrismaClient): ClientStore {
  return {
    async addTokens(tokens, audit) {
      const data = tokens.map(({ hash, name = null, createdAt, expiresAt }) => ({
        hash,
        name,
        createdAt: date(createdAt),
        expiresAt: date(expiresAt),
      }))
      await prisma.$transaction(async (tx) => {
        await tx.enrolmentToken.createMany({ data })
        await appendAudit(tx, audit)
      })
    },
    async tokens(limit) {
      const rows = await prisma.enrolmentToken.findMany({
        orderBy: [{ createdAt: 'desc' }, { hash: 'asc' }],
        take: limit,
      })
      return rows.map(({ hash, name, createdAt, expiresAt, clientId }) => ({
        hash,
        createdAt: createdAt.getTime(),
        expiresAt: expiresAt.getTime(),
        ...(name !== null && { name }),
        ...(clientId !== null && { clientId }),
      }))
    },
    withdrawToken: (hashPrefix, at, audit) =>
      prisma.$transaction(async (tx) => {
        const { count } = await tx.enrolmentToken.updateMany({
          where: { hash: { startsWith: hashPrefix }, usedAt: null, expiresAt: { gt: date(at) } },
          data: { expiresAt: date(at) },
        })
        if (count > 0) await appendAudit(tx, audit)
        return count > 0
      }),
    async enrol(tokenHash, { id, name, publicKey, enrolledAt }, audit) {
      const now = date(enrolledAt)
      return await prisma.$transaction(async (tx) => {
        await tx.$executeRaw`SELECT pg_advisory_xact_lock(${NAMES_LOCK})` // of two with one name one comes first
        const token = await tx.enrolmentToken.findUnique({ where: { hash: tokenHash }, include: { client: true } })
        if (token === null) throw tokenRefused('an unknown token')
        if (token.client?.publicKey === publicKey) return { clientId: token.client.id }
        if (token.usedAt !== null) throw tokenRefused('a token that was used before')
        if (token.expiresAt <= now) throw tokenRefused('an expired token')
        if (token.name !== null && nameKey(token.name) !== nameKey(name)) throw tokenOfAnother(name)
        const taken = enrolledUnder(await namesakes(tx, name), publicKey)
        if (taken !== undefined) return taken
        await tx.client.create({ data: { id, name, nameKey: nameKey(name), publicKey, enrolledAt: now } })
        // One conditional update decides: of two callers with one token, one finds it used.
        const { count } = await tx.enrolmentToken.updateMany({
          where: { hash: tokenHash, usedAt: null, expiresAt: { gt: now } },
          data: { usedAt: now, clientId: id },
        })
        if (count !== 1) throw tokenRefused('a token that was used before')
        await appendAudit(tx, audit)
        return { clientId: id }
      })
    },
    namesakes: (name) => namesakes(prisma, name),
    async expireTokens(at) {
      const where = { usedAt: null, expiresAt: { gt: date(at) } }
      await prisma.enrolmentToken.updateMany({ where, data: { expiresAt: date(at) } })
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

async function namesakes(tx: Prisma.TransactionClient, name: string): Promise<readonly ClientRecord[]> {
  const rows = await tx.client.findMany({ where: { nameKey: nameKey(name) }, orderBy: { enrolledAt: 'asc' } })
  return rows.map(clientFrom)
}

/** Fills in the keys of names that were enrolled by releases without them. */
export async function fillNameKeys(prisma: PrismaClient): Promise<void> {
  const rows = await prisma.client.findMany({ where: { nameKey: null }, select: { id: true, name: true } })
  for (const { id, name } of rows) await prisma.client.update({ where: { id }, data: { nameKey: nameKey(name) } })
}
