import type { RandomSource } from '@fedsvd/core/random'

/**
 * A source whose 32-bit words are the given ones, then those of `rest`. It steers a sampler into a branch that
 * random bits reach once in 2^32 draws or less.
 */
export function scriptedSource(words: readonly number[], rest: RandomSource): RandomSource {
  let next = 0
  return {
    kind: 'seeded',
    fill(bytes) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      rest.fill(bytes)
      for (let offset = 0; offset + 4 <= bytes.length && next < words.length; offset += 4) {
        view.setUint32(offset, words[next++]!, true)
      }
    },
  }
}

/**
 * Seeded bytes under the label of the operating system's generator, to test what is said about real noise repeatably.
 */
export function asOperatingSystem(source: RandomSource): RandomSource {
  return { kind: 'os-csprng', fill: (bytes) => source.fill(bytes) }
}
