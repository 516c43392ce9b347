import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { atFile } from '@fedsvd/engine/files'
import { appendDurably, makeFolderDurably, syncFolder } from '../platform/index.ts'
import { chain, encodeEntry, sha256Hex } from './chain.ts'
import type { LedgerFact } from './entry.ts'
import { lockLedger, lockLedgerItself } from './lock.ts'
import { advance, replay } from './replay.ts'
import type { LedgerState } from './state.ts'
import { verifyLedgerBytes } from './verify.ts'

/** What a file system says that has no room. */
const FULL: readonly (string | undefined)[] = ['ENOSPC', 'EDQUOT']

/** The file of one ledger, held exclusively: facts go in at the end, and what they add up to is kept beside it. */
export class LedgerFile implements Disposable {
  readonly #path: string
  readonly #fd: number
  readonly #lock: Disposable
  #ownLock: Disposable | undefined
  readonly #now: () => Date
  #state: LedgerState | undefined
  /** The hash of the last line; before the first, that which it chains to. */
  #head: string
  readonly #hashes: string[]
  /** Facts that are written with the next one, as of when they were taken in. */
  #deferred: readonly { readonly fact: LedgerFact; readonly at: string }[] = []
  #usable = true
  #closed = false

  /**
   * Opens, locks, verifies and, where a crash tore the last line, recovers a ledger.
   *
   * @throws FedsvdError LEDGER_LOCKED, LEDGER_DAMAGED
   */
  constructor(path: string, name: string, now: () => Date) {
    makeFolderDurably(dirname(path))
    this.#path = path
    this.#now = now
    this.#lock = lockLedger(`${path}.lock`)
    this.#fd = openSync(path, 'a+', 0o600)
    try {
      this.#ownLock = lockLedgerItself(path)
      syncFolder(dirname(path))
      const bytes = readFileSync(path)
      const { head, wholeBytes, tail, ...read } = atFile(path, () => {
        const verified = verifyLedgerBytes(bytes, name)
        return { ...verified, state: replay(verified.entries) }
      })
      this.#state = read.state
      this.#head = head
      this.#hashes = read.entries.map(({ hash }) => hash)
      if (tail === 'unterminated') atFile(path, () => appendDurably(this.#fd, Buffer.from('\n')))
      if (tail === 'torn') this.#cutOff(bytes.subarray(wholeBytes), wholeBytes)
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  /** What the facts add up to, those that are not written yet included; undefined until the first one, `opened`. */
  get state(): LedgerState | undefined {
    return this.#state
  }

  /** The hash of each line, in order. */
  get hashes(): readonly string[] {
    return this.#hashes
  }

  /** Takes a fact in that is written only together with the next one: until then it binds nobody but this process. */
  defer(fact: LedgerFact): void {
    const line = this.#hashes.length + this.#deferred.length + 1
    const at = this.#now().toISOString()
    this.#state = advance(this.#state, fact, line, at)
    this.#deferred = [...this.#deferred, { fact, at }]
  }

  /**
   * Appends one fact, or several in one write, and returns the last hash once all is on stable storage. A fact that
   * contradicts the state is refused before anything is written. After a failed write nobody knows what is on the disk,
   * so nothing more is accepted, unless the disk was full and what was written of the lines could be cut off again:
   * then nothing has happened.
   *
   * @throws FedsvdError LEDGER_DAMAGED
   */
  append(...facts: readonly LedgerFact[]): string {
    if (!this.#usable) throw notUsable(this.#path)
    let [next, head] = [this.#state, this.#head]
    const at = this.#now().toISOString()
    const entries = [...this.#deferred, ...facts.map((fact) => ({ fact, at }))].map(({ fact, at }, index) => {
      const seq = this.#hashes.length + index
      if (index >= this.#deferred.length) next = advance(next, fact, seq + 1, at)
      const entry = chain(head, seq, at, fact)
      head = entry.hash
      return entry
    })
    this.#write(Buffer.from(entries.map(encodeEntry).join('')))
    this.#deferred = []
    this.#state = next
    this.#head = head
    for (const { hash } of entries) this.#hashes.push(hash)
    return head
  }

  /** Closes the file and lets go of the lock, as the operating system does when the process dies. Once is enough. */
  [Symbol.dispose](): void {
    this.#usable = false
    if (this.#closed) return
    this.#closed = true
    closeSync(this.#fd)
    this.#ownLock?.[Symbol.dispose]()
    this.#lock[Symbol.dispose]()
  }

  #write(lines: Uint8Array): void {
    this.#usable = false
    const { size } = fstatSync(this.#fd)
    try {
      atFile(this.#path, () => {
        appendDurably(this.#fd, lines)
      })
    } catch (error) {
      if (FULL.includes((error as NodeJS.ErrnoException).code)) {
        ftruncateSync(this.#fd, size)
        fsyncSync(this.#fd)
        this.#usable = true
      }
      throw error
    }
    this.#usable = true
  }

  #cutOff(torn: Uint8Array, wholeBytes: number): void {
    ftruncateSync(this.#fd, wholeBytes)
    fsyncSync(this.#fd)
    if (this.#state === undefined) return // the very first line was torn: nothing had been agreed or spent
    this.append({ kind: 'recovered', droppedBytes: torn.length, droppedSha256: sha256Hex(torn) })
  }
}

function notUsable(path: string): FedsvdError {
  return new FedsvdError('LEDGER_DAMAGED', {
    expected: 'an open ledger whose last write succeeded',
    got: `${path}, which was closed or failed to write`,
    remedy: 'Make room on the disk and start the client again; nothing is trained until then.',
  })
}
