import type { AdapterStore } from '../store.ts'
import { coalescing } from './coalesce.ts'
import type { PrismaClient } from './generated/client.ts'
import { groupBy } from './group-by.ts'
import { adapterFrom, date } from './rows.ts'

export function prismaAdapters(prisma: PrismaClient): AdapterStore {
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
    async find(runId, number) {
      const row = await prisma.adapter.findUnique({ where: { runId_number: { runId, number } } })
      return row === null ? undefined : adapterFrom(row)
    },
    async newest(runId) {
      const row = await prisma.adapter.findFirst({
        where: { runId, publishedAt: { not: null } },
        orderBy: { number: 'desc' },
      })
      return row === null ? undefined : adapterFrom(row)
    },
    async kept(runId) {
      const where = { runId, retiredAt: null }
      const rows = await prisma.adapter.findMany({ where, orderBy: { number: 'asc' }, select: { number: true } })
      return rows.map(({ number }) => number)
    },
    async retire(runId, numbers, at) {
      const where = { runId, number: { in: [...numbers] }, retiredAt: null }
      await prisma.adapter.updateMany({ where, data: { retiredAt: date(at) } })
    },
    mayRead: (clientId, sha256) => mayRead({ clientId, sha256 }),
  }
}
