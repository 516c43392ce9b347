import type { OperatorStore } from '../store.ts'
import { appendAudit } from './audit.ts'
import type { PrismaClient } from './generated/client.ts'
import { date, operatorFrom } from './rows.ts'

export function prismaOperators(prisma: PrismaClient): OperatorStore {
  return {
    create: ({ id, name, role, secretHash, issuer, subject, createdAt }, audit) =>
      prisma.$transaction(async (tx) => {
        const data = [{ id, name, role, secretHash, issuer, subject, createdAt: date(createdAt) }]
        const { count } = await tx.operator.createMany({ data, skipDuplicates: true })
        if (count === 1) await appendAudit(tx, audit)
        return count === 1
      }),
    async find(operatorId) {
      const row = await prisma.operator.findUnique({ where: { id: operatorId } })
      return row === null ? undefined : operatorFrom(row)
    },
    async findByName(name) {
      const row = await prisma.operator.findUnique({ where: { name } })
      return row === null ? undefined : operatorFrom(row)
    },
    async findBySubject({ issuer, subject }) {
      const row = await prisma.operator.findUnique({ where: { issuer_subject: { issuer, subject } } })
      return row === null ? undefined : operatorFrom(row)
    },
    setRole: (id, role, audit) =>
      prisma.$transaction(async (tx) => {
        const { count } = await tx.operator.updateMany({ where: { id, role: { not: role } }, data: { role } })
        if (count === 1) await appendAudit(tx, audit)
      }),
    async list() {
      return (await prisma.operator.findMany({ orderBy: { name: 'asc' } })).map(operatorFrom)
    },
    disable: (operatorId, at, audit) =>
      prisma.$transaction(async (tx) => {
        const where = { id: operatorId, disabledAt: null }
        const { count } = await tx.operator.updateMany({ where, data: { disabledAt: date(at) } })
        if (count === 0) return false
        await tx.operatorSession.deleteMany({ where: { operatorId } })
        await appendAudit(tx, audit)
        return true
      }),
    beginSession: ({ hash, operatorId, createdAt, expiresAt }, audit) =>
      prisma.$transaction(async (tx) => {
        await tx.operatorSession.deleteMany({ where: { expiresAt: { lte: date(createdAt) } } })
        const data = { hash, operatorId, createdAt: date(createdAt), expiresAt: date(expiresAt) }
        await tx.operatorSession.create({ data })
        await appendAudit(tx, audit)
      }),
    async session(hash, now) {
      const row = await prisma.operatorSession.findFirst({
        where: { hash, expiresAt: { gt: date(now) }, operator: { disabledAt: null } },
        include: { operator: true },
      })
      if (row === null) return undefined
      const { operatorId, createdAt, expiresAt } = row
      const session = { hash, operatorId, createdAt: createdAt.getTime(), expiresAt: expiresAt.getTime() }
      return [session, operatorFrom(row.operator)]
    },
    async renewSession(hash, expiresAt) {
      await prisma.operatorSession.updateMany({ where: { hash }, data: { expiresAt: date(expiresAt) } })
    },
    endSession: (hash, audit) =>
      prisma.$transaction(async (tx) => {
        const { count } = await tx.operatorSession.deleteMany({ where: { hash } })
        if (count === 1) await appendAudit(tx, audit)
        return count === 1
      }),
  }
}
