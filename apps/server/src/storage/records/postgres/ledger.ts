import { firstOfEach } from '../first-terms.ts'
import { merged, withoutRun } from '../merged-spending.ts'
import type { PrivacyFact } from '../records.ts'
import { chargedBefore, spentMeanwhile } from '../refusals.ts'
import type { LedgerStore, RunSpending, Spending } from '../store.ts'
import { appendAudit } from './audit.ts'
import type { Fence } from './fence.ts'
import type { Prisma, PrismaClient } from './generated/client.ts'
import { ledgerReports } from './ledger-reports.ts'
import { factFrom, factRow, participantFrom } from './rows.ts'
import { SITE_LEVEL } from './site-level.ts'

/** An advisory lock that each client-level charge of any run holds to the end of its transaction. */
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
    adopt: (facts) => addFacts(prisma, facts),
    report: ledgerReports(prisma),
    async setAhead(runId, clientId, steps) {
      await prisma.participant.updateMany({ where: { runId, clientId }, data: { stepsAhead: steps } })
    },
    quarantine: ({ runId, clientId, at }, audit) =>
      prisma.$transaction(async (tx) => {
        const { count } = await tx.privacyEvent.updateMany({
          where: { runId, clientId, unit: SITE_LEVEL, source: 'client', quarantinedAt: null },
          data: { quarantinedAt: new Date(at) },
        })
        const ahead = await tx.participant.updateMany({
          where: { runId, clientId, stepsAhead: { gt: 0 } },
          data: { stepsAhead: 0 },
        })
        if (count + ahead.count > 0) await appendAudit(tx, audit)
        return count
      }),
    async spending(runId) {
      const ahead = await aheadOf(prisma, { runId })
      return merged([...(await totals(prisma, { runId, unit: SITE_LEVEL })), ...ahead.map(withoutRun)])
    },
    async spendingOf(clientIds) {
      const groups = await prisma.privacyEvent.groupBy({
        by: ['runId', 'clientId', 'sampleRate', 'noiseMultiplier'],
        where: { clientId: { in: [...clientIds] }, unit: SITE_LEVEL, ...COUNTS },
        _sum: { steps: true },
      })
      const stored = groups.map(({ _sum, ...group }) => ({ ...group, steps: _sum.steps ?? 0 }))
      return merged([...stored, ...(await aheadOf(prisma, { clientId: { in: [...clientIds] } }))])
    },
    async firstTerms(clientIds) {
      const where = { clientId: { in: [...clientIds] } }
      const groups = await prisma.privacyEvent.groupBy({
        by: ['runId', 'clientId'],
        where: { ...where, unit: SITE_LEVEL, voided: false },
        _min: { recordedAt: true },
      })
      const rows = await prisma.participant.findMany({ where })
      const participants = new Map(rows.map((row) => [`${row.runId}/${row.clientId}`, participantFrom(row)]))
      const runs = groups.map(({ runId, clientId, _min }) => {
        return { runId, clientId, recordedAt: _min.recordedAt?.getTime() ?? Number.POSITIVE_INFINITY }
      })
      return firstOfEach(runs, ({ runId, clientId }) => participants.get(`${runId}/${clientId}`)?.terms)
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
        where: { runId, ...COUNTS, unit: SITE_LEVEL },
        _sum: { steps: true },
        orderBy: { round: 'asc' },
      })
      const ahead = await aheadOf(prisma, { runId })
      const round = ahead.length === 0 ? 0 : await prisma.round.count({ where: { runId } })
      return [
        ...groups.map(({ _sum, ...group }) => ({ ...group, steps: _sum.steps ?? 0 })),
        ...ahead.map((spending) => ({ ...withoutRun(spending), round })),
      ]
    },
    async delivered(runId, clientId, sinceRound) {
      const where = { runId, clientId, round: { gte: sinceRound } }
      const rows = await prisma.update.findMany({ where, select: { round: true }, orderBy: { round: 'asc' } })
      return rows.map(({ round }) => round)
    },
  }
}

/** One charge at a time, over all runs and coordinators: nothing is spent between the check and the charge. */
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

/** Facts that count: neither refused by the client nor set aside by an operator. */
const COUNTS = { voided: false, quarantinedAt: null } as const

/** What participants have spent in rounds that have not begun, under their terms. */
async function aheadOf(
  prisma: PrismaClient,
  where: { runId?: string; clientId?: { in: string[] } },
): Promise<RunSpending[]> {
  const rows = await prisma.participant.findMany({ where: { ...where, stepsAhead: { gt: 0 } } })
  return rows.map(({ runId, clientId, sampleRate, noiseMultiplier, stepsAhead }) => {
    return { runId, clientId, sampleRate, noiseMultiplier, steps: stepsAhead }
  })
}

async function totals(
  prisma: PrismaClient,
  where: { runId?: string; unit: string | typeof SITE_LEVEL },
): Promise<Spending[]> {
  const groups = await prisma.privacyEvent.groupBy({
    by: ['clientId', 'sampleRate', 'noiseMultiplier'],
    where: { ...where, ...COUNTS },
    _sum: { steps: true },
  })
  return groups.map(({ clientId, sampleRate, noiseMultiplier, _sum }) => ({
    clientId,
    sampleRate,
    noiseMultiplier,
    steps: _sum.steps ?? 0,
  }))
}

/** In one statement. A fact that is stored already only counts again; what was stated first stays. */
async function addFacts(db: Pick<PrismaClient, '$executeRaw'>, facts: readonly PrivacyFact[]): Promise<void> {
  if (facts.length === 0) return
  await db.$executeRaw`
    INSERT INTO "PrivacyEvent"
    SELECT * FROM jsonb_populate_recordset(NULL::"PrivacyEvent", ${JSON.stringify(facts.map(factRow))}::jsonb)
    ON CONFLICT ("runId", "clientId", "round", "unit", "attempt") DO UPDATE SET "voided" = false
    WHERE "PrivacyEvent"."voided"`
}
