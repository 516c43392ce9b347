export { type RoundParts, runRound } from './round.ts'
