import { randomFillSync } from 'node:crypto'
import type { RandomSource } from '@fedsvd/core/random'

/**
 * The randomness of the operating system: the only source of noise and of lots outside tests, for clients and
 * coordinators. No other file may make a source of kind `os-csprng` (`scripts/check-imports.ts` looks).
 */
export const osRandomness: RandomSource = { kind: 'os-csprng', fill: (bytes) => void randomFillSync(bytes) }
