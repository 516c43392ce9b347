export { osRandomness } from '@fedsvd/engine/crypto'
export { type RoundParts, runRound } from './round.ts'
