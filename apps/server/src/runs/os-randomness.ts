import { randomFillSync } from 'node:crypto'
import type { RandomSource } from '@fedsvd/core/random'

/** The randomness of the operating system: the only source of noise outside tests. */
export const osRandomness: RandomSource = { kind: 'os-csprng', fill: (bytes) => void randomFillSync(bytes) }
