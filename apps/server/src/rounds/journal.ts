import type { RoundChange, RoundProgress } from '../storage/records/index.ts'
import { type RoundEvent, reduceRound } from './progress.ts'

export interface RoundJournalOptions {
  /** Reads the stored progress; undefined for a round that has not been selected. */
  readonly load: () => Promise<RoundProgress | undefined>
  /** Derives what a change means for privacy. */
  readonly change: (before: RoundProgress | undefined, after: RoundProgress) => RoundChange
  /** False when another writer has stored a newer version. */
  readonly save: (change: RoundChange) => Promise<boolean>
  /** Called after each stored change. */
  readonly onChange: (change: RoundChange) => void
  /** Called when the stored progress may be another one than was seen here; it has been read again. */
  readonly onReload: () => Promise<void>
}

interface Entry {
  readonly events: readonly RoundEvent[]
  readonly resolve: (progress: RoundProgress) => void
  readonly reject: (error: unknown) => void
}

/**
 * The only writer of a round: applies events in order and resolves each once its effect is durable.
 *
 * Events that arrive while a change is being stored are stored together with the next one (group commit). When the
 * store fails, it is unknown whether the change was stored, so the progress is read again before anything else is
 * applied.
 */
export class RoundJournal {
  #progress: RoundProgress | undefined
  #isCurrent = true
  #queue: Entry[] = []
  #draining = false
  readonly #options: RoundJournalOptions

  private constructor(options: RoundJournalOptions, progress: RoundProgress | undefined) {
    this.#options = options
    this.#progress = progress
  }

  static async open(options: RoundJournalOptions): Promise<RoundJournal> {
    return new RoundJournal(options, await options.load())
  }

  get progress(): RoundProgress | undefined {
    return this.#progress
  }

  /** Applies the events together. Rejects, and changes nothing, when the reducer refuses one or the store fails. */
  dispatch(...events: readonly RoundEvent[]): Promise<RoundProgress> {
    const settled = new Promise<RoundProgress>((resolve, reject) => this.#queue.push({ events, resolve, reject }))
    if (!this.#draining) void this.#drain()
    return settled
  }

  async #drain(): Promise<void> {
    this.#draining = true
    while (this.#queue.length > 0) {
      const batch = this.#queue
      this.#queue = []
      await this.#commit(batch).catch((error: unknown) => {
        this.#isCurrent = false
        for (const { reject } of batch) reject(error)
      })
    }
    this.#draining = false
  }

  async #commit(batch: readonly Entry[]): Promise<void> {
    for (;;) {
      if (!this.#isCurrent) await this.#reload()
      const before = this.#progress
      const { after, outcomes } = this.#apply(before, batch)
      if (after !== before && after !== undefined) {
        const change = this.#options.change(before, after)
        if (!(await this.#options.save(change))) {
          this.#isCurrent = false
          continue
        }
        this.#progress = after
        this.#options.onChange(change)
      }
      for (const settle of outcomes) settle()
      return
    }
  }

  #apply(before: RoundProgress | undefined, batch: readonly Entry[]) {
    let after = before
    const outcomes = batch.map(({ events, resolve, reject }) => {
      try {
        const next = events.reduce<RoundProgress | undefined>(reduceRound, after)!
        after = next
        return () => resolve(next)
      } catch (error) {
        return () => reject(error)
      }
    })
    return { after, outcomes }
  }

  async #reload(): Promise<void> {
    this.#progress = await this.#options.load()
    await this.#options.onReload()
    this.#isCurrent = true
  }
}
