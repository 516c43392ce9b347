import seedrandom from 'seedrandom'
import type { RandomSource } from './source.ts'

/**
 * A reproducible source for what is public anyway: the first adapters, the selection of clients in a simulation, tests.
 * Never for noise or lots that are meant to protect someone.
 *
 * `path` tells streams of one seed apart (`seededSource('run-7', 'layer', 3)`); seed and path are joined unambiguously,
 * so no two different paths share a stream. The same arguments give the same bytes on every platform.
 */
export function seededSource(seed: string, ...path: readonly (string | number)[]): RandomSource {
  const generator = seedrandom(JSON.stringify([seed, ...path]))
  return {
    kind: 'seeded',
    fill(bytes) {
      for (let offset = 0; offset < bytes.length; offset += 4) {
        const word = generator.int32()
        const end = Math.min(4, bytes.length - offset)
        for (let i = 0; i < end; i++) bytes[offset + i] = word >>> (8 * i)
      }
    },
  }
}
