export { loadStarterTokenizer, starterTokenizerFiles } from './starter-tokenizer.ts'
