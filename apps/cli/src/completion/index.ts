export { completionScript, SHELLS, type Shell } from './scripts.ts'
export { type CommandWords, wordsOf } from './words.ts'
