import { FedsvdError } from '@fedsvd/core/errors'
import { Approvals } from '../approvals/index.ts'
import { type AttemptKey, sha256Hex } from '../ledger/index.ts'
import type { Outbox } from '../outbox/index.ts'
import type { ClosedRounds } from '../runs/closed-rounds.ts'
import type { JoinedRuns } from '../runs/joined-runs.ts'
import type { StepSnapshots } from '../step-snapshots/index.ts'

/*
 * What a live site keeps on its disk so that a round goes on after a crash. A simulation that breaks off begins its
 * cell anew, so these forget everything with their process.
 */

export function memoryOutbox(): Outbox {
  const frames = new Map<string, { readonly key: AttemptKey; readonly frame: Uint8Array; readonly sha256: string }>()
  const states = new Map<string, string>()
  const nameOf = ({ runId, round, attempt }: AttemptKey): string => `${runId}/${round}/${attempt}`
  return {
    async put(key, frame) {
      const sha256 = sha256Hex(frame)
      frames.set(nameOf(key), { key, frame, sha256 })
      return sha256
    },
    find: (key) => frames.get(nameOf(key))?.sha256,
    get(key, sha256) {
      const found = frames.get(nameOf(key))
      if (found?.sha256 === sha256) return found.frame
      throw new FedsvdError('LEDGER_DAMAGED', {
        expected: `the frame ${sha256.slice(0, 16)}... of the outbox`,
        got: found === undefined ? 'no frame' : 'other bytes',
        remedy: 'Run the simulation again',
      })
    },
    begin({ runId, round, isNew }, stateSha256) {
      const name = `${runId}/${round}`
      const before = states.get(name)
      if (before !== undefined && !isNew) return before
      states.set(name, stateSha256)
      return stateSha256
    },
    clear(runId, before = Number.POSITIVE_INFINITY) {
      for (const [name, { key }] of frames) if (key.runId === runId && key.round < before) frames.delete(name)
    },
  }
}

/** No step is gone on with: keeping one does nothing. */
export function memorySnapshots(): StepSnapshots {
  return { put: async () => {}, find: () => undefined, keepOnly: () => {}, clear: () => {} }
}

export function memoryClosedRounds(): ClosedRounds {
  const closed = new Map<string, number>()
  const before = (runId: string): number => closed.get(runId) ?? 0
  return { before, close: (runId, round) => void closed.set(runId, Math.max(before(runId), round + 1)) }
}

export function memoryJoinedRuns(): JoinedRuns {
  const joined = new Set<string>()
  return { add: (runId) => void joined.add(runId), end: (runId) => joined.delete(runId) }
}

/** Nobody is asked about a run. */
export function noApprovals(): Approvals {
  const nothing = () => undefined
  const none = {
    pending: () => [],
    note: nothing,
    firstManifest: nothing,
    forget: nothing,
    decision: nothing,
    record: nothing,
  }
  return new Approvals(none, '')
}
