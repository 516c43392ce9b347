export { HuggingFaceTokenizer, loadHuggingFaceTokenizer, type TokenizerOptions } from './huggingface-tokenizer.ts'
export type { EncodedText, EncodedWords, Tokenizer } from './tokenizer.ts'
export {
  readTokenizerFiles,
  SPECIAL_TOKENS_MAP,
  specialTokensBeside,
  type TokenizerFiles,
} from './tokenizer-files.ts'
