import { setImmediate as turn } from 'node:timers/promises'

interface Waiting<K, V> {
  readonly key: K
  readonly resolve: (value: V) => void
  readonly reject: (error: unknown) => void
}

/** More than this would pass the number of parameters that one statement may have. */
const MOST_TOGETHER = 1000

/**
 * Looks up many keys at once: what is asked while a look-up is under way goes into the next one. A look-up always
 * starts after it was asked for, so it sees whatever the caller has written before.
 *
 * `load` returns the values in the order of its keys. When it fails, all that were looked up together fail.
 */
export function coalescing<K, V>(load: (keys: readonly K[]) => Promise<readonly V[]>): (key: K) => Promise<V> {
  let queue: Waiting<K, V>[] = []
  let draining = false

  async function drain(): Promise<void> {
    draining = true
    await turn() // messages that came in together are answered together
    while (queue.length > 0) {
      const batch = queue.slice(0, MOST_TOGETHER)
      queue = queue.slice(MOST_TOGETHER)
      try {
        const values = await load(batch.map(({ key }) => key))
        for (const [index, { resolve }] of batch.entries()) resolve(values[index]!)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    draining = false
  }

  return (key) =>
    new Promise((resolve, reject) => {
      queue.push({ key, resolve, reject })
      if (!draining) void drain()
    })
}
