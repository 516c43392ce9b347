import type { PrivacyFact } from '../records.ts'
import { chargedBefore } from '../refusals.ts'
import type { LedgerStore, Spending } from '../store.ts'
import { coalescing } from './coalesce.ts'
import type { Prisma, PrismaClient } from './generated/client.ts'
import { groupBy } from './group-by.ts'
import { factFrom, factRow } from './rows.ts'

/** What one client has in one run, from a round on. */
interface Since {
  readonly runId: string
  readonly clientId: string
  readonly sinceRound: number
}

export function prismaLedger(prisma: PrismaClient): LedgerStore {
  const facts = byClient(async (where) => {
    const rows = await prisma.privacyEvent.findMany({
      where: { ...where, unit: 'record' },
      orderBy: [{ round: 'asc' }, { attempt: 'asc' }],
    })
    return rows.map(factFrom)
  })
  const deliveries = byClient((where) =>
    prisma.update.findMany({ where, select: { round: true, clientId: true }, orderBy: { round: 'asc' } }),
  )
  const delivered = async (since: Since) => (await deliveries(since)).map(({ round }) => round)
  return {
    facts: (runId, clientId, sinceRound) => facts({ runId, clientId, sinceRound }),
    adopt: (facts) => prisma.$transaction((tx) => addFacts(tx, facts)),
    async report(runId, clientId, held, at) {
      for (const attempt of new Set(held.map((one) => one.attempt))) {
        const round = { in: held.filter((one) => one.attempt === attempt).map((one) => one.round) }
        await prisma.privacyEvent.updateMany({
          where: { runId, clientId, unit: 'record', attempt, round, reportedAt: null },
          data: { reportedAt: new Date(at) },
        })
      }
    },
    spending: (runId) => totals(prisma, { runId, unit: 'record' }),
    async spendingOf(clientIds) {
      const groups = await prisma.privacyEvent.groupBy({
        by: ['runId', 'clientId', 'sampleRate', 'noiseMultiplier'],
        where: { clientId: { in: [...clientIds] }, unit: 'record', voided: false },
        _sum: { steps: true },
      })
      return groups.map(({ _sum, ...group }) => ({ ...group, steps: _sum.steps ?? 0 }))
    },
    clientLevelSpending: () => totals(prisma, { unit: 'client' }),
    async lastDraw(runId, round) {
      const { _max } = await prisma.privacyEvent.aggregate({
        where: { runId, round, unit: 'client' },
        _max: { attempt: true },
      })
      return _max.attempt ?? 0
    },
    charge: (facts) =>
      prisma.$transaction(async (tx) => {
        const { count } = await tx.privacyEvent.createMany({ data: facts.map(factRow), skipDuplicates: true })
        if (count < facts.length) throw chargedBefore()
      }),
    async spendingByRound(runId) {
      const groups = await prisma.privacyEvent.groupBy({
        by: ['round', 'clientId', 'sampleRate', 'noiseMultiplier'],
        where: { runId, voided: false, unit: 'record' },
        _sum: { steps: true },
        orderBy: { round: 'asc' },
      })
      return groups.map(({ _sum, ...group }) => ({ ...group, steps: _sum.steps ?? 0 }))
    },
    delivered: (runId, clientId, sinceRound) => delivered({ runId, clientId, sinceRound }),
  }
}

/** Clients of a run that report at the same time, from the same round on, are answered by one query. */
function byClient<R extends { readonly clientId: string }>(
  find: (where: { runId: string; round: { gte: number }; clientId: { in: string[] } }) => Promise<readonly R[]>,
): (since: Since) => Promise<readonly R[]> {
  return coalescing(async (keys) => {
    const alike = groupBy(keys, ({ runId, sinceRound }) => `${runId}/${sinceRound}`)
    const found = new Map<Since, readonly R[]>()
    for (const group of alike.values()) {
      const { runId, sinceRound } = group[0]!
      const clients = [...new Set(group.map(({ clientId }) => clientId))]
      const rows = await find({ runId, round: { gte: sinceRound }, clientId: { in: clients } })
      const own = groupBy(rows, ({ clientId }) => clientId)
      for (const key of group) found.set(key, own.get(key.clientId) ?? [])
    }
    return keys.map((key) => found.get(key)!)
  })
}

async function totals(prisma: PrismaClient, where: { runId?: string; unit: string }): Promise<Spending[]> {
  const groups = await prisma.privacyEvent.groupBy({
    by: ['clientId', 'sampleRate', 'noiseMultiplier'],
    where: { ...where, voided: false },
    _sum: { steps: true },
  })
  return groups.map(({ clientId, sampleRate, noiseMultiplier, _sum }) => ({
    clientId,
    sampleRate,
    noiseMultiplier,
    steps: _sum.steps ?? 0,
  }))
}

/** A fact that is stored already only counts again; what was stated first stays. */
async function addFacts(tx: Prisma.TransactionClient, facts: readonly PrivacyFact[]): Promise<void> {
  if (facts.length === 0) return
  const { count } = await tx.privacyEvent.createMany({ data: facts.map(factRow), skipDuplicates: true })
  if (count === facts.length) return
  for (const { runId, clientId, round, attempt, event } of facts) {
    await tx.privacyEvent.updateMany({
      where: { runId, clientId, round, attempt, unit: event.unit, voided: true },
      data: { voided: false },
    })
  }
}
