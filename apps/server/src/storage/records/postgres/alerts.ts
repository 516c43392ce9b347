import type { AlertStore } from '../store.ts'
import type { PrismaClient } from './generated/client.ts'
import { date } from './rows.ts'

export function prismaAlerts(prisma: PrismaClient): AlertStore {
  return {
    async add({ runId, clientId, code, message, at }) {
      await prisma.alert.create({ data: { runId, clientId: clientId ?? null, code, message, at: date(at) } })
    },
    async list(runId, limit, codes) {
      const where = { runId, ...(codes && { code: { in: [...codes] } }) }
      const rows = await prisma.alert.findMany({ where, orderBy: { id: 'desc' }, take: limit })
      return rows.reverse().map(({ clientId, code, message, at }) => ({
        runId,
        code,
        message,
        at: at.getTime(),
        ...(clientId !== null && { clientId }),
      }))
    },
  }
}
