import { setImmediate } from 'node:timers/promises'

/** Bytes that are copied or hashed in one turn of the event loop: about a millisecond. */
export const SLICE_BYTES = 2 * 2 ** 20

/** The parts of some bytes, with a turn of the event loop for others between two of them. */
export async function* slices(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += SLICE_BYTES) {
    if (start > 0) await setImmediate()
    yield bytes.subarray(start, start + SLICE_BYTES)
  }
}
