export type { ScoredPiece } from './piece-trie.ts'
export { loadStarterTokenizer } from './starter-tokenizer.ts'
export type { Tokenizer } from './tokenizer.ts'
export { UnigramTokenizer } from './unigram-tokenizer.ts'
