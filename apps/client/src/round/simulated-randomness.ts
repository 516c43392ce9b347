import { createCipheriv, createHash } from 'node:crypto'
import type { RandomSource } from '@fedsvd/core/random'

/** The random numbers of one round: of the noise, and of the lots. */
export interface RoundRandomness {
  readonly source: RandomSource
  readonly lotSource: RandomSource
}

/**
 * Random numbers of a simulated site, which are drawn from a seed and give no privacy. Only {@link simulatedRandomness}
 * makes one; a site that has one speaks to no coordinator but that of its own process.
 */
export interface SimulatedRandomness {
  /** The same streams for the same round, whatever came before it. */
  ofRound(round: number): RoundRandomness
}

const made = new WeakSet<SimulatedRandomness>()

/**
 * Lots and noise that are the same each time: each round has a stream of its own for either, so two methods that draw
 * as many numbers of one size see the same noise, and the same lots in any case. NOT PRIVATE.
 */
export function simulatedRandomness(seed: string): SimulatedRandomness {
  const stream = (...path: readonly (string | number)[]): RandomSource => {
    const key = createHash('sha256')
      .update(JSON.stringify(['fedsvd-simulation-v1', seed, ...path]))
      .digest()
    const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
    return { kind: 'seeded', fill: (bytes) => bytes.set(cipher.update(new Uint8Array(bytes.length))) }
  }
  const randomness: SimulatedRandomness = {
    ofRound: (round) => ({ source: stream('noise', round), lotSource: stream('lots', round) }),
  }
  made.add(randomness)
  return randomness
}

/** True for what {@link simulatedRandomness} has made, and for nothing else that looks like it. */
export function isSimulated(randomness: SimulatedRandomness | undefined): boolean {
  return randomness !== undefined && made.has(randomness)
}
