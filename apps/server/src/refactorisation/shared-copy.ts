import { setImmediate } from 'node:timers/promises'
import { SLICE_BYTES, slices } from '../storage/objects/index.ts'

/**
 * All parts one after the other, in memory that another thread can read without a copy. The event loop does not wait
 * for it.
 */
export async function sharedCopy(parts: readonly Uint8Array[]): Promise<Uint8Array> {
  const copy = new Uint8Array(new SharedArrayBuffer(parts.reduce((sum, { length }) => sum + length, 0)))
  let offset = 0
  for (const part of parts) {
    for await (const slice of slices(part)) {
      copy.set(slice, offset)
      offset += slice.length
    }
    if (part.length >= SLICE_BYTES) await setImmediate()
  }
  return copy
}
