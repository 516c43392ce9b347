import type { RoundSummary } from '@fedsvd/core/protocol'
import { deliveredTasks, openTasks } from '../rounds/index.ts'
import type { RoundProgress, Store } from '../storage/records/index.ts'
import { iso } from './iso.ts'

export interface RoundsQuestion {
  readonly runId: string
  readonly since: number
  readonly limit: number
}

/** How the rounds of a run went, from what is stored of them. */
export async function runRounds(
  { adapters, rounds }: Pick<Store, 'adapters' | 'rounds'>,
  { runId, since, limit }: RoundsQuestion,
): Promise<RoundSummary[]> {
  const history = await rounds.history(runId, since, limit)
  let baseBytes = (await adapters.find(runId, since))?.bytes ?? 0
  return history.map((progress) => {
    const summary = summaryOf(progress, baseBytes)
    baseBytes = progress.result?.bytes ?? baseBytes
    return summary
  })
}

function summaryOf(progress: RoundProgress, baseBytes: number): RoundSummary {
  const { round, phase, openedAt, closedAt, publishedAt, extensions, tasks, result } = progress
  const updates = deliveredTasks(progress).map(({ update }) => update)
  const times = updates.map(({ receivedAt }) => receivedAt)
  const asked = tasks.filter(({ state }) => state === 'tasked' || state === 'delivered' || state === 'late').length
  return {
    round,
    state: phase,
    openedAt: iso(openedAt),
    ...(closedAt !== undefined && { closedAt: iso(closedAt) }),
    ...(publishedAt !== undefined && { publishedAt: iso(publishedAt) }),
    ...(times.length > 0 && {
      firstReceivedAt: iso(Math.min(...times)),
      lastReceivedAt: iso(Math.max(...times)),
    }),
    extensions,
    selected: tasks.length,
    received: updates.length,
    refused: tasks.filter(({ state }) => state === 'refused').length,
    late:
      closedAt === undefined ? 0 : openTasks(progress).length + tasks.filter(({ state }) => state === 'late').length,
    ...(progress.late && { rebased: progress.late.length }),
    bytesUp: updates.reduce((sum, { bytes }) => sum + bytes, 0),
    bytesDown: asked * baseBytes,
    ...(result?.spectra && { spectra: result.spectra.map((values) => [...values]) }),
  }
}
