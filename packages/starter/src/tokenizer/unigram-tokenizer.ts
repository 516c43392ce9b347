import { FedsvdError } from '@fedsvd/core/errors'
import type { Tokenizer } from '@fedsvd/engine/tokenizers'
import { Lattice, UNKNOWN_ID } from './lattice.ts'
import { normalisedPieces } from './normalise.ts'
import { buildPieceTrie, type PieceTrie, type ScoredPiece } from './piece-trie.ts'

/** Stands for a space, and stands before every text. */
const SEPARATOR = 0x2581
const SPACE = 0x20
/** Symbols looked at first for each token wanted; English mail has about four characters to a token. */
const SYMBOLS_PER_TOKEN = 8

/**
 * A SentencePiece unigram tokenizer: of all ways to cut a text into pieces it takes the one with the highest sum of
 * scores (Kudo 2018, arXiv 1804.10959, section 3.2; Viterbi search). Ids equal those of `@energetic-ai/embeddings`.
 *
 * Text is NFKC-normalised, a separator is put before it, and every space becomes a separator. A run of symbols that no
 * piece covers is one id 0. An empty text, for which the reference has no id, is one id 0 too, because a model cannot
 * average over nothing. Marks past the 1,024th of one run of combining marks are ignored.
 *
 * Only the beginning of a text is looked at, as far as it takes to be certain of its first `maxTokens` ids: the answer
 * is the same as that of cutting the ids of the whole text. Time is linear in what is looked at.
 */
export class UnigramTokenizer implements Tokenizer {
  readonly vocabularySize: number
  private readonly trie: PieceTrie

  constructor(pieces: readonly ScoredPiece[], reserved: number) {
    this.vocabularySize = pieces.length
    this.trie = buildPieceTrie(pieces, reserved)
  }

  async encode(text: string, maxTokens: number): Promise<Int32Array> {
    return this.idsOf(text, maxTokens)
  }

  /** {@link encode} at once. */
  idsOf(text: string, maxTokens: number): Int32Array {
    if (!(maxTokens === Number.POSITIVE_INFINITY || (Number.isInteger(maxTokens) && maxTokens > 0))) {
      throw new FedsvdError('CONFIG_INVALID', {
        expected: 'maxTokens to be a positive integer',
        got: String(maxTokens),
        remedy: 'Give the number of tokens that the model looks at, such as 128.',
      })
    }
    if (text.length === 0) return Int32Array.of(UNKNOWN_ID)
    return Int32Array.from(this.firstIds(text, maxTokens).slice(0, maxTokens))
  }

  private firstIds(text: string, maxTokens: number): number[] {
    const lattice = new Lattice(this.trie)
    lattice.push(this.trie.classOf(SEPARATOR))
    for (const piece of normalisedPieces(text, SYMBOLS_PER_TOKEN * maxTokens)) {
      this.pushSymbols(lattice, piece)
      lattice.expand(false)
      const settled = maxTokens === Number.POSITIVE_INFINITY ? [] : lattice.settledIds()
      if (settled.length >= maxTokens) return settled
    }
    lattice.expand(true)
    return lattice.ids()
  }

  private pushSymbols(lattice: Lattice, piece: string): void {
    for (let i = 0; i < piece.length; i++) {
      const codePoint = piece.codePointAt(i)!
      if (codePoint > 0xffff) i++
      lattice.push(this.trie.classOf(codePoint === SPACE ? SEPARATOR : codePoint))
    }
  }
}
