import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { removeDurably, writeFileDurably } from '../platform/index.ts'

/** The runs that this site has joined and of whose end it has not heard, over restarts of its process. */
export interface JoinedRuns {
  add(runId: string): void
  /** @returns true where the run was joined, and its end is news */
  end(runId: string): boolean
}

/** One empty file for each run, in the state folder. */
export function fileJoinedRuns(stateDir: string): JoinedRuns {
  const path = (runId: string): string => join(stateDir, 'joined', runId)
  return {
    add(runId) {
      if (!existsSync(path(runId))) writeFileDurably(path(runId), new Uint8Array())
    },
    end(runId) {
      if (!existsSync(path(runId))) return false
      removeDurably(path(runId))
      return true
    },
  }
}
