import { setImmediate } from 'node:timers/promises'

/**
 * The values of a source in batches of at most `most`: a batch ends early where the next value is not available yet. So
 * typed input is answered line by line, and a file in full batches.
 */
export async function* inBatches<T>(source: AsyncIterable<T>, most: number): AsyncGenerator<readonly T[]> {
  const values = source[Symbol.asyncIterator]()
  let next = values.next()
  try {
    for (;;) {
      const first = await next
      if (first.done) return
      const batch = [first.value]
      next = values.next()
      while (batch.length < most) {
        const more = await Promise.race([next, setImmediate(undefined)])
        if (more === undefined || more.done) break
        batch.push(more.value)
        next = values.next()
      }
      yield batch
    }
  } finally {
    next.catch(() => {}) // told already, or nobody is left to be told
    await values.return?.()
  }
}
