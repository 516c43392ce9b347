export { loadStarterTokenizer } from './starter-tokenizer.ts'
