import type { PrivacyFact } from '../records.ts'
import type { LedgerStore } from '../store.ts'
import type { Prisma, PrismaClient } from './generated/client.ts'
import { factFrom, factRow } from './rows.ts'

export function prismaLedger(prisma: PrismaClient): LedgerStore {
  return {
    async facts(runId, clientId, sinceRound) {
      const rows = await prisma.privacyEvent.findMany({
        where: { runId, clientId, round: { gte: sinceRound } },
        orderBy: [{ round: 'asc' }, { attempt: 'asc' }],
      })
      return rows.map(factFrom)
    },
    adopt: (facts) => prisma.$transaction((tx) => addFacts(tx, facts)),
    async spending(runId) {
      const groups = await prisma.privacyEvent.groupBy({
        by: ['clientId', 'sampleRate', 'noiseMultiplier'],
        where: { runId, voided: false },
        _sum: { steps: true },
      })
      return groups.map(({ clientId, sampleRate, noiseMultiplier, _sum }) => ({
        clientId,
        sampleRate,
        noiseMultiplier,
        steps: _sum.steps ?? 0,
      }))
    },
    async spendingByRound(runId) {
      const groups = await prisma.privacyEvent.groupBy({
        by: ['round', 'clientId', 'sampleRate', 'noiseMultiplier'],
        where: { runId, voided: false },
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

/** A fact that is stored already only counts again; what was stated first stays. */
export async function addFacts(tx: Prisma.TransactionClient, facts: readonly PrivacyFact[]): Promise<void> {
  if (facts.length === 0) return
  const { count } = await tx.privacyEvent.createMany({ data: facts.map(factRow), skipDuplicates: true })
  if (count === facts.length) return
  for (const { runId, clientId, round, attempt } of facts) {
    await tx.privacyEvent.updateMany({
      where: { runId, clientId, round, attempt, voided: true },
      data: { voided: false },
    })
  }
}
