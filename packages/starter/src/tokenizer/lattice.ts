import type { PieceTrie } from './piece-trie.ts'

/** The id of whatever no piece covers. */
export const UNKNOWN_ID = 0

/**
 * The Viterbi lattice of a growing sequence of symbols, forward pass and read-out.
 *
 * Position p lies between symbols p - 1 and p. `best[p]` is the score of the best way to reach p and `arrival[p]` the
 * piece it arrives with. Three habits of the reference tokenizer are kept, because the model was published with the ids
 * that they give: a best score of exactly 0 counts as "not reached yet", so any later candidate replaces it; of equal
 * scores the shorter, later piece wins; and a symbol where no piece starts is unknown and costs nothing.
 */
export class Lattice {
  private readonly trie: PieceTrie
  private symbols = new Uint16Array(1024)
  private best = new Float64Array(1025)
  private arrival = new Int32Array(1025)
  private length = 0
  /** Symbols before this position have been expanded: all positions up to and including it are final. */
  private expanded = 0

  constructor(trie: PieceTrie) {
    this.trie = trie
  }

  push(symbol: number): void {
    if (this.length === this.symbols.length) this.grow()
    this.symbols[this.length++] = symbol
  }

  /** Runs the forward pass as far as it is certain: up to the end if no more symbols come, else one piece before it. */
  expand(complete: boolean): void {
    const { next, pieceAt, scores, classCount, longestPiece } = this.trie
    const { symbols, best, arrival, length } = this
    const stop = complete ? length : length - longestPiece
    for (let start = this.expanded; start < stop; start++) {
      const reached = best[start]!
      let matched = false
      let node = 0
      for (let end = start; end < length; ) {
        node = next[node * classCount + symbols[end]!]!
        if (node === 0) break
        end++
        const piece = pieceAt[node]!
        if (piece < 0) continue
        matched = true
        const score = scores[piece]! + reached
        if (best[end] === 0 || score >= best[end]!) {
          best[end] = score
          arrival[end] = piece
        }
      }
      if (!matched && (best[start + 1] === 0 || reached >= best[start + 1]!)) {
        best[start + 1] = reached
        arrival[start + 1] = UNKNOWN_ID
      }
    }
    this.expanded = Math.max(this.expanded, stop)
  }

  /** The ids on the best way to the end; a run of unknown symbols is one id. Needs `expand(true)` first. */
  ids(): number[] {
    return this.idsUpTo(this.length)
  }

  /**
   * The ids that no further symbol can change. Read backwards, a way to any later end steps into the window of the last
   * `longestPiece` final positions, since no piece is longer; where the ways back from all of that window have met,
   * every such way goes on the same.
   */
  settledIds(): number[] {
    const { longestPiece } = this.trie
    const oldest = Math.max(0, this.expanded - longestPiece + 1)
    const onAWay = new Set<number>()
    for (let position = oldest; position <= this.expanded; position++) onAWay.add(position)
    let position = this.expanded
    for (; onAWay.size > 1; position--) {
      if (onAWay.delete(position)) onAWay.add(this.previous(position))
    }
    return this.idsUpTo(Math.max(0, ...onAWay))
  }

  private previous(position: number): number {
    return position - this.trie.lengths[this.arrival[position]!]!
  }

  private idsUpTo(end: number): number[] {
    const ids: number[] = []
    for (let position = end; position > 0; position = this.previous(position)) {
      const id = this.arrival[position]!
      if (id !== UNKNOWN_ID || ids.at(-1) !== UNKNOWN_ID) ids.push(id)
    }
    return ids.reverse()
  }

  private grow(): void {
    const symbols = new Uint16Array(2 * this.length)
    const best = new Float64Array(2 * this.length + 1)
    const arrival = new Int32Array(2 * this.length + 1)
    symbols.set(this.symbols)
    best.set(this.best)
    arrival.set(this.arrival)
    Object.assign(this, { symbols, best, arrival })
  }
}
