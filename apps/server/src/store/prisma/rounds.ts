import type { RoundStore } from '../store.ts'
import type { PrismaClient } from './generated/client.ts'
import { adapterFrom, progressFrom } from './rows.ts'
import { saveRound } from './save-round.ts'

export function prismaRounds(prisma: PrismaClient): RoundStore {
  return {
    async find(runId, round) {
      const include = { tasks: true, updates: true } as const
      const row = await prisma.round.findUnique({ where: { runId_number: { runId, number: round } }, include })
      if (row === null) return undefined
      const adapter = await prisma.adapter.findUnique({ where: { runId_number: { runId, number: round + 1 } } })
      return progressFrom(row, adapter === null ? undefined : adapterFrom(adapter))
    },
    publishedCount: (runId) => prisma.round.count({ where: { runId, phase: 'published' } }),
    save: (change) => saveRound(prisma, change),
    async published(runId, sinceRound = 0) {
      const rows = await prisma.round.findMany({
        where: { runId, phase: 'published', number: { gte: sinceRound } },
        orderBy: { number: 'asc' },
        include: { updates: { select: { clientId: true }, orderBy: { clientId: 'asc' } } },
      })
      return rows.map(({ number, updates, openedAt, publishedAt, accuracy, loss, records }) => ({
        round: number,
        clients: updates.map(({ clientId }) => clientId),
        openedAt: openedAt.getTime(),
        publishedAt: publishedAt!.getTime(),
        ...(accuracy !== null && loss !== null && records !== null && { evaluation: { accuracy, loss, records } }),
      }))
    },
    async history(runId, sinceRound, limit) {
      const rows = await prisma.round.findMany({
        where: { runId, number: { gte: sinceRound } },
        orderBy: { number: 'asc' },
        take: limit,
        include: { tasks: true, updates: true },
      })
      const numbers = rows.map(({ number }) => number + 1)
      const adapters = await prisma.adapter.findMany({ where: { runId, number: { in: numbers } } })
      const byNumber = new Map(adapters.map((adapter) => [adapter.number, adapterFrom(adapter)]))
      return rows.map((row) => progressFrom(row, byNumber.get(row.number + 1)))
    },
    async setEvaluation(runId, round, evaluation) {
      await prisma.round.updateMany({ where: { runId, number: round }, data: evaluation })
    },
  }
}
