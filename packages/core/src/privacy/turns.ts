/**
 * Gives everything else that waits in this process its turn, and resolves once it has had it. Handed in, because core
 * knows no event loop: `setImmediate` of `node:timers/promises` is one.
 */
export type Turn = () => Promise<unknown>

/** For whoever answers nobody meanwhile: all pieces follow each other at once. */
export const NO_TURN: Turn = async () => {}

/**
 * Entries of tensors that are worked on between two turns: a few milliseconds. Constants, because where the pieces of a
 * step end must not follow from anything that is private.
 */
const MOST_ENTRIES = { noise: 2 ** 16, arithmetic: 2 ** 19 } as const

/** Cuts long work on the entries of tensors into pieces, and gives a turn between two of them. */
export class Pieces {
  /** The largest piece, in entries. */
  readonly most: number
  readonly #turn: Turn
  #sinceTurn = 0

  constructor(turn: Turn, kind: keyof typeof MOST_ENTRIES) {
    this.#turn = turn
    this.most = MOST_ENTRIES[kind]
  }

  /** Calls `work` for all entries from 0 to `size`, in their order; `end` is not part of a piece. */
  async each(size: number, work: (begin: number, end: number) => void): Promise<void> {
    for (const [begin, end] of this.of(size)) {
      await this.before(end - begin)
      work(begin, end)
    }
  }

  /** Begin and end of each piece of `size` entries, for work that gives its turns itself, by {@link before}. */
  *of(size: number): Generator<readonly [begin: number, end: number]> {
    for (let begin = 0; begin < size; begin += this.most) yield [begin, Math.min(size, begin + this.most)]
  }

  /** Gives a turn, unless so many entries more may be worked on without one. */
  async before(entries: number): Promise<void> {
    if (this.#sinceTurn + entries > this.most) {
      this.#sinceTurn = 0
      await this.#turn()
    }
    this.#sinceTurn += entries
  }
}
