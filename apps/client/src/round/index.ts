export { osRandomness } from '@fedsvd/engine/crypto'
export { type WhenDiskHasRoom, whenDiskHasRoom } from './disk-room.ts'
export { runRound } from './round.ts'
export type { RoundParts } from './round-parts.ts'
