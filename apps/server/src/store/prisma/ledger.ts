import type { PrivacyFact } from '../records.ts'
import { chargedBefore, spentMeanwhile } from '../refusals.ts'
import type { LedgerStore, Spending } from '../store.ts'
import type { Fence } from './fence.ts'
import type { Prisma, PrismaClient } from './generated/client.ts'
import { ledgerReports } from './ledger-reports.ts'
import { factFrom, factRow } from './rows.ts'
import { SITE_LEVEL } from './site-level.ts'

/** Held to the end of the transaction by whoever charges at client level, whichever run it is for. */
const CHARGE_LOCK = 72707371

export function prismaLedger(prisma: PrismaClient, fence: Fence): LedgerStore {
  return {
    async facts(runId, clientId, sinceRound) {
      const rows = await prisma.privacyEvent.findMany({
        where: { runId, clientId, round: { gte: sinceRound }, unit: SITE_LEVEL },
        orderBy: [{ round: 'asc' }, { attempt: 'asc' }],
      })
      return rows.map(factFrom)
    },
    adopt: (facts) => prisma.$transaction((tx) => addFacts(tx, facts)),
    report: ledgerReports(prisma),
    spending: (runId) => totals(prisma, { runId, unit: SITE_LEVEL }),
    async spendingOf(clientIds) {
      const groups = await prisma.privacyEvent.groupBy({
        by: ['runId', 'clientId', 'sampleRate', 'noiseMultiplier'],
        where: { clientId: { in: [...clientIds] }, unit: SITE_LEVEL, voided: false },
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
        where: { runId, voided: false, unit: SITE_LEVEL },
        _sum: { steps: true },
        orderBy: { round: 'asc' },
      })
      return groups.map(({ _sum, ...group }) => ({ ...group, steps: _sum.steps ?? 0 }))
    },
    async delivered(runId, clientId, sinceRound) {
      const where = { runId, clientId, round: { gte: sinceRound } }
      const rows = await prisma.update.findMany({ where, select: { round: true }, orderBy: { round: 'asc' } })
      return rows.map(({ round }) => round)
    },
  }
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

async function totals(
  prisma: PrismaClient,
  where: { runId?: string; unit: string | typeof SITE_LEVEL },
): Promise<Spending[]> {
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
