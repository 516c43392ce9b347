import { setImmediate } from 'node:timers/promises'

/** Hashed in a few milliseconds, and written in some more. */
const SLICE_BYTES = 4 * 2 ** 20

/** Whatever else waits in this process has its turn: an answer, a heartbeat. */
export async function turn(): Promise<void> {
  await setImmediate()
}

/** The slices of some bytes in their order, with a turn between two of them; one, where there are no bytes. */
export async function* slicesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start === 0 || start < bytes.length; start += SLICE_BYTES) {
    if (start > 0) await turn()
    yield bytes.subarray(start, start + SLICE_BYTES)
  }
}
