import { FedsvdError } from '../errors.ts'

/**
 * Where random bytes come from. Core has none of its own: the client hands in the operating system's CSPRNG
 * (`kind: 'os-csprng'`), and {@link seededSource} makes reproducible bytes for everything that is public.
 *
 * `fill` overwrites every byte of its argument with fresh, independent, uniform bytes. It is asked for at most 65,536
 * bytes at a time, the limit of `crypto.getRandomValues`.
 *
 * Noise drawn from a seeded source is reproducible by anyone who has the seed, so it protects nobody: the mechanism
 * marks what it makes with one as NOT PRIVATE.
 */
export interface RandomSource {
  readonly kind: 'os-csprng' | 'seeded'
  fill(bytes: Uint8Array): void
}

const FIRST_WORDS = 64
const MOST_WORDS = 16_384

/**
 * A buffered reader of 32-bit words over a {@link RandomSource}. Each byte of the source is handed out at most once.
 *
 * The buffer starts at 256 bytes and doubles up to 64 KiB, so a short draw is cheap and a long one is fast. It is
 * itself a `RandomSource`: functions that draw accept either, and callers with many small draws pass one reader to all
 * of them.
 *
 * Two consecutive blocks of a CSPRNG that begin with the same 128 bits mean that it is stuck (for a healthy one the
 * chance is 2^-128); that is refused with NOISE_INVALID, as is a first block that begins with 128 zero bits, which is
 * what a `fill` that does nothing leaves behind.
 */
export class RandomBits implements RandomSource {
  readonly kind: RandomSource['kind']
  readonly #source: RandomSource
  #words = new Uint32Array(FIRST_WORDS)
  #next = FIRST_WORDS
  #filled = false

  constructor(source: RandomSource) {
    this.kind = source.kind
    this.#source = source
  }

  /** The argument itself when it is already a reader, otherwise a new reader over it. */
  static from(source: RandomSource): RandomBits {
    return source instanceof RandomBits ? source : new RandomBits(source)
  }

  /** A uniform integer in [0, 2^32). */
  uint32(): number {
    if (this.#next === this.#words.length) this.#refill()
    return this.#words[this.#next++]!
  }

  /** A uniform integer in [0, 2^53). */
  uint53(): number {
    const high = this.uint32() >>> 11
    return high * 2 ** 32 + this.uint32()
  }

  fill(bytes: Uint8Array): void {
    for (let offset = 0; offset < bytes.length; offset += 4) {
      const word = this.uint32()
      const end = Math.min(4, bytes.length - offset)
      for (let i = 0; i < end; i++) bytes[offset + i] = word >>> (8 * i)
    }
  }

  #refill(): void {
    const before = this.#words.slice(0, 4)
    if (this.#filled && this.#words.length < MOST_WORDS) this.#words = new Uint32Array(this.#words.length * 2)
    const words = this.#words
    this.#source.fill(new Uint8Array(words.buffer))
    if (this.kind === 'os-csprng' && before.every((word, i) => word === words[i])) {
      throw new FedsvdError('NOISE_INVALID', {
        expected: 'fresh bytes from the random number generator of the operating system',
        got: 'the same 128 bits twice in a row',
        remedy: 'Do not train on this machine: its random number generator is broken or stubbed.',
      })
    }
    this.#filled = true
    this.#next = 0
  }
}

/** What a rejection loop throws when it does not end; with random bits that are random it is unreachable. */
export function stuckSource(loop: string): FedsvdError {
  return new FedsvdError('NOISE_INVALID', {
    expected: `${loop} to end`,
    got: 'bits that keep it from ending, which random bits do with a chance below 2^-1000',
    remedy: 'Do not train on this machine: its random number generator is broken or stubbed.',
  })
}
