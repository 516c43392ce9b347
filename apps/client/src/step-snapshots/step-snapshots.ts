import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FedsvdError, roundNumber } from '@fedsvd/core/errors'
import { assertSavedStep, type SavedStep } from '@fedsvd/core/privacy'
import { hashOfStep, hashStep, type PrivacyLedger, sha256Hex } from '../ledger/index.ts'
import { removeDurably, writeLargeFileDurably } from '../platform/index.ts'

/**
 * Steps of rounds that are under way, as the mechanism left them: noised values, good to go on from after a crash. A
 * step is written before the ledger notes it, and the one before it is removed only after that, so the step that the
 * ledger names is there.
 */
export interface StepSnapshots {
  /** Stores a step durably, whole or not at all. */
  put(saved: SavedStep): Promise<void>
  /** The bytes with this hash; undefined when they are not there, or not those. */
  find(runId: string, round: number, sha256: string): Uint8Array | undefined
  /** Removes the steps of a round but the one just kept. */
  keepOnly(saved: SavedStep): void
  /** Removes the steps of a run: all of them, or those of rounds up to `upTo`. */
  clear(runId: string, upTo?: number): void
}

const STEP_FILE = /^([0-9a-f-]{36})-(\d+)-(\d+)-(\d+)-([0-9a-f]{64})\.step$/

interface StepKey {
  readonly runId: string
  readonly round: number
  readonly attempt: number
  readonly step: number
  readonly sha256: string
}

/** The snapshots of one data set, in the state folder. */
export function fileStepSnapshots(stateDir: string, fingerprint: string): StepSnapshots {
  const folder = snapshotFolder(stateDir, fingerprint)
  const path = ({ runId, round, attempt, step, sha256 }: StepKey): string =>
    join(folder, `${runId}-${round}-${attempt}-${step}-${sha256}.step`)
  const keyOf = (saved: SavedStep, sha256: string): StepKey => {
    const { runId, round, attempt } = saved.reserved
    return { runId, round, attempt, step: saved.step, sha256 }
  }
  return {
    async put(saved) {
      assertSavedStep(saved)
      await writeLargeFileDurably(path(keyOf(saved, await hashStep(saved))), saved.bytes)
    },
    find(runId, round, sha256) {
      const key = keysIn(folder).find((one) => one.runId === runId && one.round === round && one.sha256 === sha256)
      const bytes = key && readFileSync(path(key))
      return bytes !== undefined && sha256Hex(bytes) === sha256 ? bytes : undefined
    },
    keepOnly(saved) {
      const kept = keyOf(saved, hashOfStep(saved))
      for (const key of keysIn(folder)) {
        if (key.runId === kept.runId && key.round === kept.round && key.sha256 !== kept.sha256) removeDurably(path(key))
      }
    },
    clear(runId, upTo = Number.POSITIVE_INFINITY) {
      for (const key of keysIn(folder)) if (key.runId === runId && key.round <= upTo) removeDurably(path(key))
    },
  }
}

/**
 * Refuses a ledger that is older than its snapshots: a step of an attempt without a reservation, or one that is
 * further than the step which may follow the last that was noted. Going on from there would pay for fewer steps than
 * were made.
 *
 * @throws FedsvdError LEDGER_DAMAGED
 */
export function requireSnapshotsRecorded(
  stateDir: string,
  { fingerprint, state: { attempts, datasets } }: Pick<PrivacyLedger, 'fingerprint' | 'state'>,
): void {
  const isNoted = ({ runId, round, attempt, step }: StepKey): boolean => {
    const found = attempts.find((one) => one.runId === runId && one.round === round && one.attempt === attempt)
    return found !== undefined && (found.frameSha256 !== undefined || step <= (found.saved?.step ?? 0) + 1)
  }
  const folders = [...new Set(datasets).add(fingerprint)].map((dataset) => snapshotFolder(stateDir, dataset))
  const orphan = folders.flatMap(keysIn).find((key) => !isNoted(key))
  if (orphan === undefined) return
  const { runId, round, attempt, step } = orphan
  throw new FedsvdError('LEDGER_DAMAGED', {
    expected: `a ledger that knows attempt ${attempt} of round ${roundNumber(round)} of run ${runId} up to step ${step - 1}`,
    got: `step ${step} of it, and less in ${join(stateDir, 'ledgers')}`,
    remedy: 'Restore the newest copy of the ledger; until then nothing is trained here.',
  })
}

function snapshotFolder(stateDir: string, fingerprint: string): string {
  return join(stateDir, 'checkpoints', fingerprint)
}

function keysIn(folder: string): StepKey[] {
  return namesIn(folder).flatMap((name) => {
    const [, runId, round, attempt, step, sha256] = STEP_FILE.exec(name) ?? []
    if (runId === undefined || sha256 === undefined) return []
    return [{ runId, round: Number(round), attempt: Number(attempt), step: Number(step), sha256 }]
  })
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
