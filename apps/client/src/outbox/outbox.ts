import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FedsvdError, roundNumber } from '@fedsvd/core/errors'
import { type AttemptKey, type PrivacyLedger, sha256Hex } from '../ledger/index.ts'
import { ifThere, removeDurably, turn, writeFileDurably, writeLargeFileDurably } from '../platform/index.ts'

/**
 * Finished frames, kept until a later round of their run is answered for good. A retry sends these bytes and no others.
 */
export interface Outbox {
  /** Stores a frame durably, whole or not at all. @returns its SHA-256 */
  put(key: AttemptKey, frame: Uint8Array): Promise<string>
  /** SHA-256 of the frame of an attempt; undefined when there is none. */
  find(key: AttemptKey): string | undefined
  /** The stored frame. @throws FedsvdError LEDGER_DAMAGED when it is missing or is not what the ledger recorded */
  get(key: AttemptKey, sha256: string): Uint8Array
  /**
   * Notes durably from which published state a round is trained, at its first invitation; another one takes its place
   * only where nothing has been made of the round (`isNew`). The notes of other rounds of the run are removed, but for
   * those in `keep`: invitations are free, and a coordinator may send any number. @returns the state that the round is
   * trained from
   */
  begin(place: BegunRound, stateSha256: string): string
  /** Removes the frames of a run, all of them or those of rounds before `before`. */
  clear(runId: string, before?: number): void
}

export interface BegunRound {
  readonly runId: string
  readonly round: number
  readonly isNew: boolean
  /** Other rounds that may still be gone on with. */
  readonly keep: readonly (number | undefined)[]
}

const FRAME_FILE = /^([0-9a-f-]{36})-(\d+)-(\d+)\.frame$/
const STATE_FILE = /^([0-9a-f-]{36})-(\d+)\.state$/

/**
 * The outbox of a site, in the state folder: one folder for each data set. A frame is found whichever data set it was
 * made from, so one that is not delivered yet is delivered also when the site's data have changed since.
 */
export function fileOutbox(stateDir: string, fingerprint: string): Outbox {
  const folders = (): readonly string[] => foldersIn(stateDir)
  const states = join(stateDir, 'states')
  const nameOf = ({ runId, round, attempt }: AttemptKey): string => `${runId}-${round}-${attempt}.frame`
  const read = (key: AttemptKey): Uint8Array | undefined => {
    for (const folder of folders()) {
      const frame = readIfThere(join(folder, nameOf(key)))
      if (frame !== undefined) return frame
    }
    return undefined
  }
  return {
    async put(key, frame) {
      await writeLargeFileDurably(join(outboxFolder(stateDir, fingerprint), nameOf(key)), frame)
      await turn()
      return sha256Hex(frame)
    },
    find(key) {
      const frame = read(key)
      return frame && sha256Hex(frame)
    },
    get(key, sha256) {
      const frame = read(key)
      if (frame !== undefined && sha256Hex(frame) === sha256) return frame
      throw new FedsvdError('LEDGER_DAMAGED', {
        expected: `the frame ${sha256.slice(0, 16)}... in ${nameOf(key)} of the outbox`,
        got: frame === undefined ? 'no file' : 'other bytes',
        remedy: 'Restore the folder; this round cannot be sent again, and its budget stays spent.',
      })
    },
    begin({ runId, round, isNew, keep }, stateSha256) {
      const path = join(states, `${runId}-${round}.state`)
      const noted = readIfThere(path)
      const before = noted && Buffer.from(noted).toString('utf8').trim()
      for (const [name, owner, other] of statesIn(states))
        if (owner === runId && other !== round && !keep.includes(other)) removeDurably(join(states, name))
      if (before === stateSha256 || (before !== undefined && !isNew)) return before
      writeFileDurably(path, Buffer.from(`${stateSha256}\n`))
      return stateSha256
    },
    clear(runId, before = Number.POSITIVE_INFINITY) {
      for (const folder of folders())
        for (const key of keysIn(folder))
          if (key.runId === runId && key.round < before) removeDurably(join(folder, nameOf(key)))
      for (const [name, owner, round] of statesIn(states))
        if (owner === runId && round < before) removeDurably(join(states, name))
    },
  }
}

/**
 * Refuses a ledger that is older than its outbox: a frame without a reservation means that lines were cut off the
 * end of the ledger, or that an old copy was put in its place.
 *
 * @throws FedsvdError LEDGER_DAMAGED
 */
export function requireReserved(
  stateDir: string,
  { fingerprint, state: { attempts, datasets } }: Pick<PrivacyLedger, 'fingerprint' | 'state'>,
): void {
  const folders = [...new Set(datasets).add(fingerprint)].map((dataset) => outboxFolder(stateDir, dataset))
  const nameOf = ({ runId, round, attempt }: AttemptKey): string => `${runId}/${round}/${attempt}`
  const reserved = new Set(attempts.map(nameOf))
  const orphan = folders.flatMap(keysIn).find((key) => !reserved.has(nameOf(key)))
  if (orphan === undefined) return
  throw new FedsvdError('LEDGER_DAMAGED', {
    expected: `a ledger that reserved attempt ${orphan.attempt} of round ${roundNumber(orphan.round)} of run ${orphan.runId}`,
    got: `a finished frame of it, and no reservation in ${join(stateDir, 'ledgers')}`,
    remedy: 'Restore the newest copy of the ledger; until then nothing is trained here.',
  })
}

function foldersIn(stateDir: string): readonly string[] {
  const root = join(stateDir, 'outbox')
  return namesIn(root).map((name) => join(root, name))
}

function outboxFolder(stateDir: string, fingerprint: string): string {
  return join(stateDir, 'outbox', fingerprint)
}

function keysIn(folder: string): AttemptKey[] {
  return namesIn(folder).flatMap((name) => {
    const [, runId, round, attempt] = FRAME_FILE.exec(name) ?? []
    return runId === undefined ? [] : [{ runId, round: Number(round), attempt: Number(attempt) }]
  })
}

function statesIn(folder: string): (readonly [name: string, runId: string, round: number])[] {
  return namesIn(folder).flatMap((name) => {
    const [, runId, round] = STATE_FILE.exec(name) ?? []
    return runId === undefined ? [] : [[name, runId, Number(round)] as const]
  })
}

function namesIn(folder: string): string[] {
  return ifThere(() => readdirSync(folder)) ?? []
}

function readIfThere(path: string): Uint8Array | undefined {
  return ifThere(() => readFileSync(path))
}
