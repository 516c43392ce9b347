import type { RunStore } from '../store.ts'
import { appendAudit } from './audit.ts'
import { coalescing } from './coalesce.ts'
import type { Fence } from './fence.ts'
import type { PrismaClient } from './generated/client.ts'
import { groupBy } from './group-by.ts'
import { adapterFrom, date, participantFrom, participantRow, planFrom, runFrom } from './rows.ts'

export function prismaRuns(prisma: PrismaClient, fence: Fence): RunStore {
  const mayRead = coalescing(async (keys: readonly { readonly clientId: string; readonly sha256: string }[]) => {
    const readers = new Map<string, ReadonlySet<string>>()
    for (const [sha256, asking] of groupBy(keys, (key) => key.sha256)) {
      const clientId = { in: [...new Set(asking.map((key) => key.clientId))] }
      const where = { clientId, run: { adapters: { some: { sha256, publishedAt: { not: null } } } } }
      const rows = await prisma.participant.findMany({ where, select: { clientId: true } })
      readers.set(sha256, new Set(rows.map((row) => row.clientId)))
    }
    return keys.map(({ clientId, sha256 }) => readers.get(sha256)!.has(clientId))
  })
  return {
    async create({ manifest, state, createdAt, ownerId }, initial, audit) {
      const { runId: id, name } = manifest
      const { runId, number, basis, sha256, bytes, publishedAt } = initial
      await prisma.$transaction(async (tx) => {
        await tx.run.create({
          data: { id, name, state, manifest, createdAt: date(createdAt), ownerId: ownerId ?? null },
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
    async join(participant) {
      const { runId, clientId } = participant
      await prisma.participant.createMany({ data: [participantRow(participant)], skipDuplicates: true })
      return participantFrom(
        await prisma.participant.findUniqueOrThrow({ where: { runId_clientId: { runId, clientId } } }),
      )
    },
    async setWithdrawal(runId, clientId, code) {
      await prisma.$transaction(async (tx) => {
        await fence(tx, runId)
        await tx.participant.updateMany({ where: { runId, clientId }, data: { withdrawal: code ?? null } })
      })
    },
    async participants(runId) {
      return (await prisma.participant.findMany({ where: { runId }, orderBy: { clientId: 'asc' } })).map(
        participantFrom,
      )
    },
    async adapter(runId, number) {
      const row = await prisma.adapter.findUnique({ where: { runId_number: { runId, number } } })
      return row === null ? undefined : adapterFrom(row)
    },
    async newestAdapter(runId) {
      const row = await prisma.adapter.findFirst({
        where: { runId, publishedAt: { not: null } },
        orderBy: { number: 'desc' },
      })
      return row === null ? undefined : adapterFrom(row)
    },
    async participationsOf(clientId) {
      return (await prisma.participant.findMany({ where: { clientId }, orderBy: { joinedAt: 'asc' } })).map(
        participantFrom,
      )
    },
    async endedOf(clientId, limit) {
      const where = { endedAt: { not: null }, participants: { some: { clientId } } }
      return (await prisma.run.findMany({ where, orderBy: { endedAt: 'desc' }, take: limit })).map(runFrom)
    },
    async pausedOf(clientId) {
      const where = { state: 'paused' as const, participants: { some: { clientId } } }
      return (await prisma.run.findMany({ where, select: { id: true } })).map(({ id }) => id)
    },
    mayRead: (clientId, sha256) => mayRead({ clientId, sha256 }),
  }
}
