import type { RegisteredModel } from '../records.ts'
import type { RegisteredModelStore } from '../store.ts'
import { appendAudit } from './audit.ts'
import type { Prisma, PrismaClient } from './generated/client.ts'
import { date } from './rows.ts'

export function prismaRegisteredModels(prisma: PrismaClient): RegisteredModelStore {
  return {
    async list() {
      const orderBy = [{ name: 'asc' as const }, { version: 'desc' as const }]
      return (await prisma.registeredModel.findMany({ where: { removedAt: null }, orderBy })).map(modelFrom)
    },
    async firstOf(name) {
      const row = await prisma.registeredModel.findFirst({ where: { name }, orderBy: { version: 'asc' } })
      return row === null ? undefined : modelFrom(row)
    },
    register: ({ name, runId, number, tags, createdAt, createdBy }, audit) =>
      prisma.$transaction(async (tx) => {
        // One at a time: versions have no gap, and a tag is on one of them.
        await tx.$executeRaw`LOCK TABLE "RegisteredModel" IN EXCLUSIVE MODE`
        const versions = await tx.registeredModel.findMany({ where: { name }, orderBy: { version: 'asc' } })
        const same = versions.find((row) => row.runId === runId && row.number === number && row.removedAt === null)
        for (const { version, tags: before } of versions) {
          const left = before.filter((tag) => !tags.includes(tag))
          if (version === same?.version || left.length === before.length) continue
          await tx.registeredModel.update({ where: { name_version: { name, version } }, data: { tags: left } })
        }
        const version = same?.version ?? (versions.at(-1)?.version ?? 0) + 1
        const where = { name_version: { name, version } }
        const created = { name, version, runId, number, tags: [...tags], createdAt: date(createdAt), createdBy }
        const row = await tx.registeredModel.upsert({ where, create: created, update: { tags: [...tags] } })
        await appendAudit(tx, audit)
        return modelFrom(row)
      }),
    remove: ({ name, version }, at, audit) =>
      prisma.$transaction(async (tx) => {
        const where = { name, version, removedAt: null }
        const { count } = await tx.registeredModel.updateMany({ where, data: { removedAt: date(at), tags: [] } })
        if (count === 1) await appendAudit(tx, audit)
        return count === 1
      }),
  }
}

function modelFrom(row: Prisma.RegisteredModelGetPayload<object>): RegisteredModel {
  const { name, version, runId, number, tags, createdAt, createdBy } = row
  return { name, version, runId, number, tags, createdAt: createdAt.getTime(), createdBy }
}
