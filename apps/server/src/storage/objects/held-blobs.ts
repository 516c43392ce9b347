import type { BlobStore, PendingBlob } from './blob-store.ts'
import { only } from './file-blobs.ts'
import { slices } from './slices.ts'

/** A store in which no object is removed while a row that refers to it is about to be written. */
export interface HeldBlobs extends BlobStore {
  /**
   * Removes an object unless it is held, or `isNeeded` is true while new holds are blocked. True when it was
   * removed.
   */
  removeUnless(sha256: string, isNeeded: () => Promise<boolean>): Promise<boolean>
  /** True while an object is held in this process, or was written within the grace period. */
  isHeld(sha256: string): boolean
}

/**
 * Holds each object from before it is written until its {@link PendingBlob} is disposed, by when the row that refers to
 * it is stored, and for a grace period on the clock in any case. A write of an object that is just being
 * removed waits, and writes it anew. This protects within one process; against others there is the time at which the
 * store itself says that the object was written.
 */
export function holdingBlobs(inner: BlobStore, { now, graceMs }: { now: () => number; graceMs: number }): HeldBlobs {
  const holders = new Map<string, number>()
  const writtenAt = new Map<string, number>()
  const removals = new Map<string, Promise<void>>()

  async function hold(sha256: string): Promise<() => void> {
    for (let removal = removals.get(sha256); removal; removal = removals.get(sha256)) await removal
    holders.set(sha256, (holders.get(sha256) ?? 0) + 1)
    return () => {
      const left = holders.get(sha256)! - 1
      if (left === 0) holders.delete(sha256)
      else holders.set(sha256, left)
    }
  }

  function noteWritten(sha256: string): void {
    writtenAt.delete(sha256) // insertion order is age: what has expired is at the front
    writtenAt.set(sha256, now())
    for (const [name, written] of writtenAt) {
      if (now() - written < graceMs) break
      writtenAt.delete(name)
    }
  }

  function isHeld(sha256: string): boolean {
    const written = writtenAt.get(sha256)
    return (written !== undefined && now() - written < graceMs) || holders.has(sha256)
  }

  async function receive(stream: AsyncIterable<Uint8Array>, maxBytes: number): Promise<PendingBlob> {
    const pending = await inner.receive(stream, maxBytes)
    const { sha256, bytes } = pending
    let release = (): void => {}
    return {
      sha256,
      bytes,
      read: () => pending.read(),
      async keep() {
        release = await hold(sha256)
        noteWritten(sha256)
        await pending.keep()
      },
      async [Symbol.asyncDispose]() {
        release()
        release = () => {}
        await pending[Symbol.asyncDispose]()
      },
    }
  }

  return {
    receive,
    isHeld,
    read: (sha256) => inner.read(sha256),
    open: (sha256) => inner.open(sha256),
    list: () => inner.list(),
    remove: (sha256) => inner.remove(sha256),
    check: () => inner.check(),
    async put(bytes) {
      await using blob = await receive(only(bytes), bytes.length)
      await blob.keep()
      return { sha256: blob.sha256, bytes: blob.bytes }
    },
    async removeUnless(sha256, isNeeded) {
      if (isHeld(sha256) || removals.has(sha256)) return false
      let done = (): void => {}
      removals.set(sha256, new Promise((resolve) => (done = resolve)))
      try {
        if (await isNeeded()) return false
        await inner.remove(sha256)
        return true
      } finally {
        removals.delete(sha256)
        done()
      }
    },
  }
}

/** Bytes that are there already, to be kept and held like those that arrive. */
export function stage(blobs: Pick<BlobStore, 'receive'>, bytes: Uint8Array): Promise<PendingBlob> {
  return blobs.receive(slices(bytes), bytes.length)
}
