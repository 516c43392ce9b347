import { FedsvdError, roundNumber } from '@fedsvd/core/errors'
import { bestRound } from '../evaluation/index.ts'
import type { AdapterRecord, Store } from '../storage/records/index.ts'

/**
 * Which state of a run: the newest, the best by its sites or on the hold-out, or that after a round, counted from 0.
 */
export type WhichState = 'newest' | 'best' | number

/**
 * A published state of a run.
 *
 * @throws FedsvdError STATE_NOT_FOUND where the round is not published, or no round has been measured
 */
export async function stateOfRun(
  { adapters, rounds, runs }: Pick<Store, 'adapters' | 'rounds' | 'runs'>,
  runId: string,
  which: WhichState,
): Promise<AdapterRecord> {
  if (which === 'newest') {
    const newest = await adapters.newest(runId)
    if (newest !== undefined) return newest
    throw notFound('a state of the run', 'none', 'Wait for its first round.')
  }
  const manifest = which === 'best' ? (await runs.find(runId))?.manifest : undefined
  const round = which === 'best' ? manifest && (await bestRound({ rounds }, manifest))?.round : which
  if (round === undefined) {
    throw notFound(
      'a round that was measured on a hold-out or by its sites',
      'none',
      'Name a round, start the coordinator with a hold-out, or open runs with siteEvaluation.',
    )
  }
  const state = await adapters.find(runId, round + 1)
  if (state?.retiredAt !== undefined) {
    const remedy = 'Export states in time, or give them a name: those stay.'
    throw notFound(
      'a state that the run keeps',
      `that after round ${roundNumber(round)}, which its rule dropped`,
      remedy,
    )
  }
  if (state?.publishedAt !== undefined) return state
  const published = await rounds.publishedCount(runId)
  const known = published === 0 ? 'none is published yet' : `rounds 1 to ${published} are published`
  throw notFound('a round of the run that is published', `round ${roundNumber(round)}`, `Name another one: ${known}.`)
}

function notFound(expected: string, got: string, remedy: string): FedsvdError {
  return new FedsvdError('STATE_NOT_FOUND', { expected, got, remedy })
}
