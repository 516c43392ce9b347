import type { ParticipantStore } from '../store.ts'
import type { Fence } from './fence.ts'
import type { PrismaClient } from './generated/client.ts'
import { participantFrom, participantRow, runFrom } from './rows.ts'

export function prismaParticipants(prisma: PrismaClient, fence: Fence): ParticipantStore {
  return {
    async join(participant) {
      const { runId, clientId } = participant
      await prisma.participant.createMany({ data: [participantRow(participant)], skipDuplicates: true })
      return participantFrom(
        await prisma.participant.findUniqueOrThrow({ where: { runId_clientId: { runId, clientId } } }),
      )
    },
    async setWithdrawal(runId, clientId, code) {
      await prisma.$transaction(async (tx) => {
        await fence(tx, runId)
        await tx.participant.updateMany({ where: { runId, clientId }, data: { withdrawal: code ?? null } })
      })
    },
    async ofRun(runId) {
      return (await prisma.participant.findMany({ where: { runId }, orderBy: { clientId: 'asc' } })).map(
        participantFrom,
      )
    },
    async ofClient(clientId) {
      return (await prisma.participant.findMany({ where: { clientId }, orderBy: { joinedAt: 'asc' } })).map(
        participantFrom,
      )
    },
    async endedRuns(clientId, limit) {
      const where = { endedAt: { not: null }, participants: { some: { clientId } } }
      return (await prisma.run.findMany({ where, orderBy: { endedAt: 'desc' }, take: limit })).map(runFrom)
    },
    async pausedRuns(clientId) {
      const where = { state: 'paused' as const, participants: { some: { clientId } } }
      return (await prisma.run.findMany({ where, select: { id: true } })).map(({ id }) => id)
    },
  }
}
