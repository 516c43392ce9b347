import { FedsvdError } from '@fedsvd/core/errors'

export interface QueueTerms {
  /** Questions that may wait while one is answered. */
  readonly mostWaiting: number
  /** From the moment a question comes until it has to be answered. */
  readonly milliseconds: number
}

/** Answers one question after the other, as the model computes them. */
export interface WorkQueue {
  /**
   * Does the work in its turn. Work that waits longer than the time it has is never begun; work that is under way is
   * told by its signal, and its answer is not waited for.
   *
   * @throws FedsvdError MODEL_BUSY where too much waits already, or there was too little time
   */
  ask<T>(work: (signal: AbortSignal) => Promise<T>, gone: AbortSignal): Promise<T>
  /** Resolves when what is under way is answered; nothing else is begun. */
  close(): Promise<void>
}

/** A queue with a bound on its length and on the time of each question. */
export function workQueue({ mostWaiting, milliseconds }: QueueTerms): WorkQueue {
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0
  let isClosing = false
  return {
    ask: async (work, gone) => {
      if (isClosing) throw stopping()
      if (waiting > mostWaiting) throw busy(`at most ${mostWaiting} questions that wait`, `${waiting}`)
      waiting += 1
      const late = AbortSignal.timeout(milliseconds)
      const signal = AbortSignal.any([late, gone])
      const turn = last.then(async () => {
        signal.throwIfAborted()
        if (isClosing) throw stopping()
        return await work(signal)
      })
      last = turn
        .catch(() => {})
        .finally(() => {
          waiting -= 1
        })
      const ended = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(late.aborted ? tooLate(milliseconds) : signal.reason), {
          once: true,
        })
      })
      ended.catch(() => {}) // nobody waits for it once the work is done
      return await Promise.race([turn, ended])
    },
    close: async () => {
      isClosing = true
      await last
    },
  }
}

function tooLate(milliseconds: number): FedsvdError {
  return busy(`an answer within ${milliseconds / 1000} s`, 'a model that was still at work')
}

function busy(expected: string, got: string): FedsvdError {
  return new FedsvdError('MODEL_BUSY', { expected, got, remedy: 'Ask again later, or for less at once.' })
}

function stopping(): FedsvdError {
  return busy('a server that goes on', 'a server that stops')
}
