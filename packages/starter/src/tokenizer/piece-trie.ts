/** One entry of a unigram vocabulary: the piece and its log-probability; null where the file has no number. */
export type ScoredPiece = readonly [piece: string, score: number | null]

/**
 * All pieces of a vocabulary as a prefix tree in flat tables.
 *
 * A character is first mapped to its class: 0 for every character that occurs in no piece. `next` is nodes x classes;
 * node 0 is the root, and 0 as a successor means "none". `pieceAt[node]` is the id of the piece that ends there, or -1.
 */
export interface PieceTrie {
  readonly classCount: number
  readonly next: Uint16Array
  readonly pieceAt: Int32Array
  /** By piece id; a missing score counts as 0. */
  readonly scores: Float64Array
  /** Characters (code points) by piece id; 1 for the reserved ones, which stand for one symbol or a run of them. */
  readonly lengths: Uint16Array
  readonly longestPiece: number
  classOf(codePoint: number): number
}

/**
 * Builds the tree of `pieces[reserved..]`; ids are positions in `pieces`. The reserved pieces have no text of their own
 * and never match. Of two equal pieces the later one counts.
 */
export function buildPieceTrie(pieces: readonly ScoredPiece[], reserved: number): PieceTrie {
  const classes = new Map<number, number>()
  const children: Map<number, number>[] = [new Map()]
  const ends: number[] = [-1]
  for (let id = reserved; id < pieces.length; id++) {
    let node = 0
    for (const character of pieces[id]![0]) {
      const symbol = classFor(classes, character.codePointAt(0)!)
      let child = children[node]!.get(symbol)
      if (child === undefined) {
        child = children.push(new Map()) - 1
        ends.push(-1)
        children[node]!.set(symbol, child)
      }
      node = child
    }
    if (node !== 0) ends[node] = id
  }
  if (children.length > 0xffff) throw new RangeError(`${children.length} trie nodes do not fit 16 bits`)

  const classCount = classes.size + 1
  const next = new Uint16Array(children.length * classCount)
  children.forEach((map, node) => {
    for (const [symbol, child] of map) next[node * classCount + symbol] = child
  })
  const lengths = Uint16Array.from(pieces, ([piece], id) => (id < reserved ? 1 : [...piece].length))
  return {
    classCount,
    next,
    pieceAt: Int32Array.from(ends),
    scores: Float64Array.from(pieces, ([, score]) => score ?? 0),
    lengths,
    longestPiece: lengths.reduce((a, b) => Math.max(a, b), 1),
    classOf: classLookup(classes),
  }
}

function classFor(classes: Map<number, number>, codePoint: number): number {
  const known = classes.get(codePoint)
  if (known !== undefined) return known
  classes.set(codePoint, classes.size + 1)
  return classes.size
}

/** A table for the basic plane, where every piece of the starter vocabulary lives; the map for the rest. */
function classLookup(classes: ReadonlyMap<number, number>): (codePoint: number) => number {
  const basicPlane = new Uint16Array(0x10000)
  for (const [codePoint, symbol] of classes) if (codePoint < 0x10000) basicPlane[codePoint] = symbol
  return (codePoint) => (codePoint < 0x10000 ? basicPlane[codePoint]! : (classes.get(codePoint) ?? 0))
}
