export { osRandomness } from './os-randomness.ts'
export { type RoundParts, runRound } from './round.ts'
