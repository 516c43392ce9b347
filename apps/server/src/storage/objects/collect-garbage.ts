import type { StoredBlob } from './blob-store.ts'
import type { HeldBlobs } from './held-blobs.ts'

export interface GarbageParts {
  readonly blobs: HeldBlobs
  /** Those of the names that something stored refers to. */
  readonly referenced: (names: readonly string[]) => Promise<ReadonlySet<string>>
  readonly now: () => number
  /** An object that was written more recently is left alone: what refers to it may not be stored yet. */
  readonly graceMs: number
  /** Stops between two objects. */
  readonly signal?: AbortSignal
}

export interface Collection {
  readonly removed: number
  readonly removedBytes: number
  /** Objects that stay. */
  readonly kept: number
}

const BATCH = 500

/**
 * Removes the objects that nothing refers to. An object is removed only if it is older than the grace period, is not
 * held in this process, and nothing referred to it at the last check, which is made while new holds are blocked.
 */
export async function collectGarbage(parts: GarbageParts): Promise<Collection> {
  const { blobs, now, graceMs, signal } = parts
  const total = { removed: 0, removedBytes: 0, kept: 0 }
  let old: StoredBlob[] = []
  for await (const blob of blobs.list()) {
    signal?.throwIfAborted()
    if (now() - blob.writtenAt < graceMs || blobs.isHeld(blob.sha256)) total.kept += 1
    else old.push(blob)
    if (old.length === BATCH) {
      await removeUnreferenced(old, parts, total)
      old = []
    }
  }
  await removeUnreferenced(old, parts, total)
  return total
}

async function removeUnreferenced(
  candidates: readonly StoredBlob[],
  { blobs, referenced, signal }: GarbageParts,
  total: { removed: number; removedBytes: number; kept: number },
): Promise<void> {
  if (candidates.length === 0) return
  const needed = await referenced(candidates.map(({ sha256 }) => sha256))
  for (const { sha256, bytes } of candidates) {
    signal?.throwIfAborted()
    const isRemoved =
      !needed.has(sha256) && (await blobs.removeUnless(sha256, async () => (await referenced([sha256])).has(sha256)))
    if (isRemoved) {
      total.removed += 1
      total.removedBytes += bytes
    } else total.kept += 1
  }
}
