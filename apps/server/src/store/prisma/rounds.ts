import type { RoundProgress, TaskState } from '../records.ts'
import type { RoundChange, RoundStore } from '../store.ts'
import type { Fence } from './fence.ts'
import type { Prisma, PrismaClient } from './generated/client.ts'
import { addFacts } from './ledger.ts'
import { adapterFrom, date, progressFrom, roundRow } from './rows.ts'

export function prismaRounds(prisma: PrismaClient, fence: Fence): RoundStore {
  return {
    async find(runId, round) {
      const include = { tasks: true, updates: true } as const
      const row = await prisma.round.findUnique({ where: { runId_number: { runId, number: round } }, include })
      if (row === null) return undefined
      const adapter = await prisma.adapter.findUnique({ where: { runId_number: { runId, number: round + 1 } } })
      return progressFrom(row, adapter === null ? undefined : adapterFrom(adapter))
    },
    publishedCount: (runId) => prisma.round.count({ where: { runId, phase: 'published' } }),
    save: (change) =>
      prisma.$transaction(async (tx) => {
        await fence(tx, change.after.runId)
        return await saveChange(tx, change)
      }),
    async published(runId) {
      const rows = await prisma.round.findMany({
        where: { runId, phase: 'published' },
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
      await prisma.$transaction(async (tx) => {
        await fence(tx, runId)
        await tx.round.updateMany({ where: { runId, number: round }, data: evaluation })
      })
    },
  }
}

async function saveChange(
  tx: Prisma.TransactionClient,
  { before, after, spent, released }: RoundChange,
): Promise<boolean> {
  const { runId, round } = after
  if (!(await saveRound(tx, before, after))) return false
  await saveTasks(tx, before, after)
  await addFacts(tx, spent)
  if (released.length > 0) {
    const where = { runId, round, attempt: 1, unit: 'record', clientId: { in: [...released] } }
    await tx.privacyEvent.updateMany({ where, data: { voided: true } })
  }
  await saveResult(tx, before, after)
  return true
}

/** The version decides between two writers; the row stays locked until the transaction ends. */
async function saveRound(
  tx: Prisma.TransactionClient,
  before: RoundProgress | undefined,
  after: RoundProgress,
): Promise<boolean> {
  const { runId, round: number } = after
  const data = roundRow(after)
  const { count } =
    before === undefined
      ? await tx.round.createMany({ data: [{ runId, number, ...data }], skipDuplicates: true })
      : await tx.round.updateMany({ where: { runId, number, version: before.version }, data })
  return count === 1
}

async function saveTasks(
  tx: Prisma.TransactionClient,
  before: RoundProgress | undefined,
  after: RoundProgress,
): Promise<void> {
  const { runId, round } = after
  const statesBefore = new Map(before?.tasks.map(({ clientId, state }) => [clientId, state]))
  const created = after.tasks.filter(({ clientId }) => !statesBefore.has(clientId))
  if (created.length > 0) {
    await tx.task.createMany({ data: created.map(({ clientId, state }) => ({ runId, round, clientId, state })) })
  }
  const moved = new Map<TaskState, string[]>()
  for (const { clientId, state } of after.tasks) {
    const known = statesBefore.get(clientId)
    if (known !== undefined && known !== state) moved.set(state, [...(moved.get(state) ?? []), clientId])
  }
  for (const [state, clientIds] of moved) {
    await tx.task.updateMany({ where: { runId, round, clientId: { in: clientIds } }, data: { state } })
  }
  const delivered = after.tasks.filter(({ clientId, update }) => update && statesBefore.get(clientId) !== 'delivered')
  if (delivered.length > 0) {
    const data = delivered.map(({ clientId, update }) => {
      const { sha256, bytes, receivedAt } = update!
      return { runId, round, clientId, sha256, bytes, receivedAt: date(receivedAt) }
    })
    await tx.update.createMany({ data })
  }
}

async function saveResult(
  tx: Prisma.TransactionClient,
  before: RoundProgress | undefined,
  after: RoundProgress,
): Promise<void> {
  const { runId, round, result, publishedAt } = after
  const number = round + 1
  const published = publishedAt === undefined ? null : date(publishedAt)
  if (result !== undefined && before?.result === undefined) {
    const { spectra, ...state } = result
    const values = spectra && { spectra }
    await tx.adapter.create({ data: { runId, number, ...state, ...values, publishedAt: published } })
  } else if (publishedAt !== undefined && before?.publishedAt === undefined) {
    await tx.adapter.updateMany({ where: { runId, number }, data: { publishedAt: published } })
  }
}
