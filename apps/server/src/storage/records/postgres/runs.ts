import type { RunStore } from '../store.ts'
import { appendAudit } from './audit.ts'
import type { Fence } from './fence.ts'
import type { PrismaClient } from './generated/client.ts'
import { date, planFrom, runFrom } from './rows.ts'

export function prismaRuns(prisma: PrismaClient, fence: Fence): RunStore {
  return {
    async create({ manifest, state, createdAt, ownerId, keep }, initial, audit) {
      const { runId: id, name } = manifest
      const { runId, number, basis, sha256, bytes, publishedAt } = initial
      await prisma.$transaction(async (tx) => {
        await tx.run.create({
          data: { id, name, state, manifest, createdAt: date(createdAt), ownerId: ownerId ?? null, keep: keep ?? null },
        })
        await tx.adapter.create({
          data: {
            runId,
            number,
            basis,
            sha256,
            bytes,
            publishedAt: publishedAt === undefined ? null : date(publishedAt),
          },
        })
        await appendAudit(tx, audit)
      })
    },
    async find(runId) {
      const row = await prisma.run.findUnique({ where: { id: runId } })
      return row === null ? undefined : runFrom(row)
    },
    async list() {
      return (await prisma.run.findMany({ orderBy: { createdAt: 'desc' } })).map(runFrom)
    },
    move: (runId, from, { state, reason, endedAt }, audit) =>
      prisma.$transaction(async (tx) => {
        await fence(tx, runId)
        const { count } = await tx.run.updateMany({
          where: { id: runId, state: { in: [...from] } },
          data: {
            state,
            ...(reason !== undefined && { reason }),
            ...(endedAt !== undefined && { endedAt: date(endedAt) }),
          },
        })
        if (count === 1) await appendAudit(tx, audit)
        return count === 1
      }),
    async plans(runId) {
      return (await prisma.runPlan.findMany({ where: { runId }, orderBy: { version: 'asc' } })).map(planFrom)
    },
    addPlan: ({ changedAt, ...plan }, audit) =>
      prisma.$transaction(async (tx) => {
        const { runId, version } = plan
        // The row of the run decides between two changes, and between a change and the end of the run.
        const [run] = await tx.$queryRaw<{ endedAt: Date | null }[]>`
          SELECT "endedAt" FROM "Run" WHERE id = ${runId}::uuid FOR UPDATE`
        const [known, begun] = [
          await tx.runPlan.count({ where: { runId } }),
          await tx.round.count({ where: { runId } }),
        ]
        if (run?.endedAt !== null || version !== known + 1 || plan.rounds < begun) return false
        await tx.runPlan.create({ data: { ...plan, changedAt: date(changedAt) } })
        await appendAudit(tx, audit)
        return true
      }),
    async setBaseline(runId, { majority, records }) {
      await prisma.run.updateMany({ where: { id: runId }, data: { majority, holdOut: records } })
    },
  }
}
