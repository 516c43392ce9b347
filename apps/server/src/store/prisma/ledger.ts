import type { PrivacyFact } from '../records.ts'
import { chargedBefore, spentMeanwhile } from '../refusals.ts'
import type { Held, LedgerStore, Spending } from '../store.ts'
import { coalescing } from './coalesce.ts'
import type { Fence } from './fence.ts'
import type { Prisma, PrismaClient } from './generated/client.ts'
import { groupBy } from './group-by.ts'
import { factFrom, factRow } from './rows.ts'

/** What one client has in one run, from a round on. */
interface Since {
  readonly runId: string
  readonly clientId: string
  readonly sinceRound: number
}

/** What a client has told of its ledger. */
interface Told {
  readonly runId: string
  readonly clientId: string
  readonly held: readonly Held[]
  readonly at: number
}

/** Held to the end of the transaction by whoever charges at client level, whichever run it is for. */
const CHARGE_LOCK = 72707371

export function prismaLedger(prisma: PrismaClient, fence: Fence): LedgerStore {
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
  const told = coalescing(async (reports: readonly Told[]) => {
    const reportedNow = reports.flatMap(({ runId, clientId, held, at }) =>
      held.map(({ round, attempt }) => ({ runId, clientId, round, attempt, reportedAt: new Date(at) })),
    )
    await prisma.$executeRaw`
      UPDATE "PrivacyEvent" AS "old" SET "reportedAt" = "new"."reportedAt"
      FROM jsonb_populate_recordset(NULL::"PrivacyEvent", ${JSON.stringify(reportedNow)}::jsonb) AS "new"
      WHERE "old"."runId" = "new"."runId" AND "old"."clientId" = "new"."clientId" AND "old"."round" = "new"."round"
        AND "old"."attempt" = "new"."attempt" AND "old"."unit" = 'record' AND "old"."reportedAt" IS NULL`
    return reports.map(() => undefined)
  })
  return {
    facts: (runId, clientId, sinceRound) => facts({ runId, clientId, sinceRound }),
    adopt: (facts) => prisma.$transaction((tx) => addFacts(tx, facts)),
    report: (runId, clientId, held, at) => told({ runId, clientId, held, at }),
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
    charge: (facts, seen) =>
      prisma.$transaction(async (tx) => {
        for (const runId of new Set(facts.map((fact) => fact.runId))) await fence(tx, runId)
        if (seen !== undefined) await requireSpent(tx, seen)
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

/** One charge at a time, over all runs and coordinators: nobody spends between the judgement and the payment. */
async function requireSpent(tx: Prisma.TransactionClient, seen: ReadonlyMap<string, number>): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(${CHARGE_LOCK})`
  const groups = await tx.privacyEvent.groupBy({
    by: ['clientId'],
    where: { unit: 'client', voided: false, clientId: { in: [...seen.keys()] } },
    _sum: { steps: true },
  })
  const spent = new Map(groups.map(({ clientId, _sum }) => [clientId, _sum.steps ?? 0]))
  for (const [clientId, steps] of seen) if ((spent.get(clientId) ?? 0) !== steps) throw spentMeanwhile()
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
