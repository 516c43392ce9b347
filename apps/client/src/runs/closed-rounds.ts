import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ifThere, writeFileDurably } from '../platform/index.ts'

/**
 * Up to which round a coordinator has closed each run, over restarts of the process. A round that was closed is over
 * for good: answering another invitation to it would tell whether its training had ended by then.
 */
export interface ClosedRounds {
  /** Rounds of the run before this one are over for good. */
  before(runId: string): number
  /** @param isTold false where the coordinator knows already how the round came out: nothing is kept on the disk */
  close(runId: string, round: number, isTold: boolean): void
}

/** One small file for each run of which a round was closed in its midst. */
export function fileClosedRounds(stateDir: string): ClosedRounds {
  const closed = new Map<string, number>()
  const path = (runId: string): string => join(stateDir, 'closed', runId)
  const before = (runId: string): number => {
    const known = closed.get(runId) ?? stored(path(runId))
    closed.set(runId, known)
    return known
  }
  return {
    before,
    close(runId, round, isTold) {
      if (round < before(runId)) return
      const next = round + 1
      closed.set(runId, next)
      if (!isTold) writeFileDurably(path(runId), Buffer.from(`${next}\n`))
    },
  }
}

/** 0 where nothing is kept, or nothing that can be read. */
function stored(path: string): number {
  const round = Number(ifThere(() => readFileSync(path, 'utf8')))
  return Number.isSafeInteger(round) && round > 0 ? round : 0
}
