export { type Block, blocksOf, type Step, stepsOf } from './blocks.ts'
export { fedsvdCommands, shellWords } from './shell-words.ts'
export { tryPage } from './try-page.ts'
