export { HuggingFaceTokenizer, loadHuggingFaceTokenizer, type TokenizerOptions } from './huggingface-tokenizer.ts'
export type { EncodedText, EncodedWords, Tokenizer } from './tokenizer.ts'
export { SPECIAL_TOKENS_MAP, specialTokensBeside } from './tokenizer-files.ts'
