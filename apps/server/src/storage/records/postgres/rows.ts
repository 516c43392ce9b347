import type { PrivacyEvent } from '@fedsvd/core/accounting'
import { type RunManifest, runManifestSchema, storedForm } from '@fedsvd/core/protocol'
import type {
  AdapterRecord,
  BudgetCap,
  ClientRecord,
  MadeFactors,
  OperatorRecord,
  Participant,
  PlanRecord,
  PrivacyFact,
  PublishedRound,
  RoundProgress,
  RoundResult,
  RunRecord,
  SiteEvaluationCounts,
  StaleUpdate,
  Task,
} from '../records.ts'
import type { Prisma } from './generated/client.ts'

/** Rows of the database as records of the domain, and back. */

/** Runs of earlier releases stay readable, whatever numbers their operators chose. */
const storedManifestSchema = storedForm(runManifestSchema)

export const date = (milliseconds: number): Date => new Date(milliseconds)

export function runFrom(row: Prisma.RunGetPayload<object>): RunRecord {
  const { state, reason, manifest, createdAt, endedAt, majority, holdOut, ownerId, keep } = row
  return {
    manifest: manifestFrom(manifest),
    state,
    ...(reason !== null && { reason }),
    createdAt: createdAt.getTime(),
    ...(endedAt !== null && { endedAt: endedAt.getTime() }),
    ...(ownerId !== null && { ownerId }),
    ...(keep !== null && { keep }),
    ...(majority !== null && holdOut !== null && { baseline: { majority, records: holdOut } }),
  }
}

/** It was checked when it came in, by the rules of its time: one that today's shape does not fit is still the run's. */
function manifestFrom(stored: unknown): RunManifest {
  return storedManifestSchema.safeParse(stored).data ?? (stored as RunManifest)
}

export function clientFrom(row: Prisma.ClientGetPayload<object>): ClientRecord {
  const { id, name, publicKey, enrolledAt, revokedAt, lastSeenAt, version, ledgerLength, ledgerHead } = row
  return {
    id,
    name,
    publicKey,
    enrolledAt: enrolledAt.getTime(),
    ...(revokedAt !== null && { revokedAt: revokedAt.getTime() }),
    ...(lastSeenAt !== null && { lastSeenAt: lastSeenAt.getTime() }),
    ...(version !== null && { version }),
    ...(ledgerLength !== null && ledgerHead !== null && { ledger: { length: ledgerLength, head: ledgerHead } }),
  }
}

export function evaluationFrom(
  row: Pick<Prisma.RoundGetPayload<object>, 'accuracy' | 'loss' | 'records' | 'microF1'>,
): Pick<PublishedRound, 'evaluation'> {
  const { accuracy, loss, records, microF1 } = row
  if (accuracy === null || loss === null || records === null) return {}
  return { evaluation: { accuracy, loss, records, ...(microF1 !== null && { microF1 }) } }
}

export function siteEvaluationFrom({
  siteEvaluation,
}: Pick<Prisma.RoundGetPayload<object>, 'siteEvaluation'>): Pick<PublishedRound, 'siteEvaluation'> {
  return siteEvaluation === null ? {} : { siteEvaluation: siteEvaluation as unknown as SiteEvaluationCounts }
}

export function capFrom({ clientId, epsilon, delta, actor, at }: Prisma.BudgetCapGetPayload<object>): BudgetCap {
  return { clientId, epsilon, delta, actor, at: at.getTime() }
}

export function operatorFrom({
  disabledAt,
  issuer,
  subject,
  ...row
}: Prisma.OperatorGetPayload<object>): OperatorRecord {
  return {
    ...row,
    createdAt: row.createdAt.getTime(),
    ...(issuer !== null && { issuer }),
    ...(subject !== null && { subject }),
    ...(disabledAt !== null && { disabledAt: disabledAt.getTime() }),
  }
}

export function adapterFrom(row: Prisma.AdapterGetPayload<object>): AdapterRecord {
  const { runId, number, basis, sha256, bytes, spectra, factors, publishedAt, retiredAt, clipNorm, clientClipNorm } =
    row
  return {
    runId,
    number,
    basis,
    sha256,
    bytes,
    ...(retiredAt !== null && { retiredAt: retiredAt.getTime() }),
    ...(spectra !== null && { spectra: spectra as number[][] }),
    ...(factors !== null && { factors: factors as unknown as MadeFactors }),
    ...(clipNorm !== null && { clipNorm }),
    ...(clientClipNorm !== null && { clientClipNorm }),
    ...(publishedAt !== null && { publishedAt: publishedAt.getTime() }),
  }
}

export function adapterRow({ publishedAt, ...adapter }: AdapterRecord) {
  return { ...adapter, publishedAt: publishedAt === undefined ? null : date(publishedAt) }
}

export function planFrom({ changedAt, ...plan }: Prisma.RunPlanGetPayload<object>): PlanRecord {
  return { ...plan, changedAt: changedAt.getTime() }
}

export function participantFrom(row: Prisma.ParticipantGetPayload<object>): Participant {
  const { runId, clientId, declaredRecords, sampleRate, noiseMultiplier, epsilon, delta, joinedAt, withdrawal } = row
  const terms = { declaredRecords, sampleRate, noiseMultiplier, budget: { epsilon, delta } }
  return { runId, clientId, terms, joinedAt: joinedAt.getTime(), ...(withdrawal !== null && { withdrawal }) }
}

export function participantRow({
  runId,
  clientId,
  terms,
  joinedAt,
  withdrawal,
}: Participant): Prisma.ParticipantUncheckedCreateInput {
  const { declaredRecords, sampleRate, noiseMultiplier, budget } = terms
  return {
    runId,
    clientId,
    declaredRecords,
    sampleRate,
    noiseMultiplier,
    ...budget,
    joinedAt: date(joinedAt),
    withdrawal: withdrawal ?? null,
  }
}

type RoundRow = Prisma.RoundGetPayload<{ include: { tasks: true; updates: true; counted: true } }>

export function progressFrom(row: RoundRow, adapter: AdapterRecord | undefined): RoundProgress {
  const { runId, number, phase, version, openedAt, deadline, extensions, closedAt, publishedAt } = row
  const { quorum, clientsPerRound, deadlineSeconds, bufferSize } = row
  const updates = new Map(row.updates.map((update) => [update.clientId, update]))
  const tasks = row.tasks.map(({ clientId, state }): Task => {
    const update = updates.get(clientId)
    if (update === undefined) return { clientId, state }
    const { sha256, bytes, receivedAt } = update
    return { clientId, state, update: { sha256, bytes, receivedAt: receivedAt.getTime() } }
  })
  return {
    runId,
    round: number,
    phase,
    plan: { quorum, clientsPerRound, deadlineSeconds, ...(bufferSize !== null && { bufferSize }) },
    version,
    extensions,
    openedAt: openedAt.getTime(),
    deadline: deadline.getTime(),
    tasks: tasks.sort((left, right) => (left.clientId < right.clientId ? -1 : 1)),
    ...lateFrom(number, row.counted),
    ...(closedAt !== null && { closedAt: closedAt.getTime() }),
    ...(adapter && { result: resultFrom(adapter) }),
    ...(publishedAt !== null && { publishedAt: publishedAt.getTime() }),
  }
}

/** Those of the updates that a round counted which were made in an earlier one; absent when there are none. */
export function lateFrom(number: number, counted: RoundRow['counted']): Pick<RoundProgress, 'late'> {
  const late = counted
    .filter(({ round }) => round !== number)
    .map(({ clientId, round, sha256, bytes, receivedAt }): StaleUpdate => {
      return { clientId, round, sha256, bytes, receivedAt: receivedAt.getTime() }
    })
  return late.length === 0 ? {} : { late: late.sort((left, right) => (left.clientId < right.clientId ? -1 : 1)) }
}

function resultFrom({ sha256, bytes, basis, spectra, factors, clipNorm, clientClipNorm }: AdapterRecord): RoundResult {
  return {
    sha256,
    bytes,
    basis,
    ...(spectra && { spectra }),
    ...(factors && { factors }),
    ...(clipNorm && { clipNorm }),
    ...(clientClipNorm && { clientClipNorm }),
  }
}

export function roundRow(progress: RoundProgress) {
  const { phase, plan, version, openedAt, deadline, extensions, closedAt, publishedAt } = progress
  return {
    phase,
    ...plan,
    bufferSize: plan.bufferSize ?? null,
    version,
    extensions,
    openedAt: date(openedAt),
    deadline: date(deadline),
    closedAt: closedAt === undefined ? null : date(closedAt),
    publishedAt: publishedAt === undefined ? null : date(publishedAt),
  }
}

type FactRow = Prisma.PrivacyEventGetPayload<object>

/** A row as JSON has it: with times as text. */
export type FactJson = {
  readonly [K in keyof FactRow]: FactRow[K] extends Date | null ? string | FactRow[K] : FactRow[K]
}

export function factFrom(row: FactRow | FactJson): PrivacyFact {
  const { runId, round, clientId, attempt, source, voided, recordedAt, reportedAt, quarantinedAt } = row
  const { mechanism, sampleRate, noiseMultiplier, steps, clipNorm, relation, unit } = row
  const event = { mechanism, sampleRate, noiseMultiplier, steps, clipNorm, relation, unit } as PrivacyEvent
  return {
    runId,
    round,
    clientId,
    attempt,
    event,
    source,
    voided,
    recordedAt: new Date(recordedAt).getTime(),
    ...(reportedAt !== null && { reportedAt: new Date(reportedAt).getTime() }),
    ...(quarantinedAt !== null && { quarantinedAt: new Date(quarantinedAt).getTime() }),
  }
}

export function factRow(given: PrivacyFact): Prisma.PrivacyEventCreateManyInput {
  const { event, recordedAt, reportedAt, quarantinedAt, ...fact } = given
  return {
    ...fact,
    ...event,
    recordedAt: date(recordedAt),
    reportedAt: reportedAt === undefined ? null : date(reportedAt),
    quarantinedAt: quarantinedAt === undefined ? null : date(quarantinedAt),
  }
}
