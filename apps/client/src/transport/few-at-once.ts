import { FedsvdError } from '@fedsvd/core/errors'

/**
 * Lets so many pass at once and no more: a process that is busy cannot make a coordinator wait that sends messages to
 * another thread, and would keep all of them in its memory until it takes them.
 */
export class FewAtOnce {
  readonly #most: number
  #count = 0

  constructor(most: number) {
    this.#most = most
  }

  /** @throws FedsvdError RATE_LIMITED where there are too many already; what `run` throws */
  async pass<T>(run: () => Promise<T>): Promise<T> {
    if (this.#count >= this.#most) throw tooMany(this.#most)
    this.#count += 1
    try {
      return await run()
    } finally {
      this.#count -= 1
    }
  }
}

function tooMany(most: number): FedsvdError {
  return new FedsvdError('RATE_LIMITED', {
    expected: `at most ${most} messages that wait for this site`,
    got: `${most + 1} messages`,
    remedy: 'Send the next ones when the others are answered.',
  })
}
