import { addedStaleUpdates } from '../added-stale-updates.ts'
import { countedBefore, leaseLost } from '../refusals.ts'
import type { RoundStore } from '../store.ts'
import type { Fence } from './fence.ts'
import type { PrismaClient } from './generated/client.ts'
import { adapterFrom, evaluationFrom, lateFrom, progressFrom, siteEvaluationFrom } from './rows.ts'
import { saveRound } from './save-round.ts'

const PARTS = { tasks: true, updates: true, counted: true } as const

export function prismaRounds(prisma: PrismaClient, fence: Fence): RoundStore {
  return {
    async find(runId, round) {
      const row = await prisma.round.findUnique({ where: { runId_number: { runId, number: round } }, include: PARTS })
      if (row === null) return undefined
      const adapter = await prisma.adapter.findUnique({ where: { runId_number: { runId, number: round + 1 } } })
      return progressFrom(row, adapter === null ? undefined : adapterFrom(adapter))
    },
    publishedCount: (runId) => prisma.round.count({ where: { runId, phase: 'published' } }),
    async save(change) {
      const { runId } = change.after
      const late = addedStaleUpdates(change.before, change.after)
      if (late.length === 0) {
        const saved = await saveRound(prisma, change, { lease: fence.leaseOf(runId) })
        if (!saved.isHeld) throw leaseLost(runId)
        return saved.isMoved
      }
      return await prisma.$transaction(async (tx) => {
        await fence(tx, runId)
        const saved = await saveRound(tx, change, { late })
        if (saved.isMoved && saved.late < late.length) throw countedBefore()
        return saved.isMoved
      })
    },
    async published(runId, sinceRound = 0) {
      const rows = await prisma.round.findMany({
        where: { runId, phase: 'published', number: { gte: sinceRound } },
        orderBy: { number: 'asc' },
        include: { counted: { orderBy: { clientId: 'asc' } } },
      })
      return rows.map(({ number, counted, openedAt, publishedAt, ...measured }) => ({
        round: number,
        clients: counted.filter(({ round }) => round === number).map(({ clientId }) => clientId),
        ...lateFrom(number, counted),
        openedAt: openedAt.getTime(),
        publishedAt: publishedAt!.getTime(),
        ...evaluationFrom(measured),
        ...siteEvaluationFrom(measured),
      }))
    },
    async history(runId, sinceRound, limit) {
      const rows = await prisma.round.findMany({
        where: { runId, number: { gte: sinceRound } },
        orderBy: { number: 'asc' },
        take: limit,
        include: PARTS,
      })
      const numbers = rows.map(({ number }) => number + 1)
      const adapters = await prisma.adapter.findMany({ where: { runId, number: { in: numbers } } })
      const byNumber = new Map(adapters.map((adapter) => [adapter.number, adapterFrom(adapter)]))
      return rows.map((row) => progressFrom(row, byNumber.get(row.number + 1)))
    },
    async best(runId) {
      const row = await prisma.round.findFirst({
        where: { runId, phase: 'published', accuracy: { not: null } },
        orderBy: [{ accuracy: 'desc' }, { number: 'asc' }],
        select: { number: true, accuracy: true },
      })
      return row === null ? undefined : { round: row.number, accuracy: row.accuracy! }
    },
    async setSiteEvaluation(runId, round, counts) {
      await prisma.$transaction(async (tx) => {
        await fence(tx, runId)
        const siteEvaluation = { sites: counts.sites.map((site) => ({ ...site, counts: [...site.counts] })) }
        await tx.round.updateMany({ where: { runId, number: round }, data: { siteEvaluation } })
      })
    },
    async setEvaluation(runId, round, evaluation) {
      await prisma.$transaction(async (tx) => {
        await fence(tx, runId)
        await tx.round.updateMany({ where: { runId, number: round }, data: evaluation })
      })
    },
  }
}
