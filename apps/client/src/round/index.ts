export { osRandomness } from '@fedsvd/engine/crypto'
export { type WhenDiskHasRoom, whenDiskHasRoom } from './disk-room.ts'
export { type RoundParts, runRound } from './round.ts'
