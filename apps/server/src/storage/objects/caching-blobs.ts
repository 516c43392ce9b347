import { LRUCache } from 'lru-cache'
import type { BlobStore, PendingBlob } from './blob-store.ts'
import { only } from './file-blobs.ts'

/** An object larger than this share of the memory is not kept in it. */
const LARGEST_SHARE = 1 / 4
/** Small objects take more memory than their bytes. */
const MOST_OBJECTS = 1000

/**
 * Keeps the objects that were written or read last in memory, up to `maxBytes` and a thousand in all: the state that
 * all clients of a round fetch, and the updates between their arrival and their aggregation. What is kept was hashed
 * when it arrived or was read, and objects never change, so nothing read from here can differ from what the store
 * holds.
 */
export function cachingBlobs(inner: BlobStore, maxBytes: number): BlobStore {
  const maxEntrySize = Math.max(1, Math.floor(maxBytes * LARGEST_SHARE))
  const cache = new LRUCache<string, Uint8Array>({
    max: MOST_OBJECTS,
    maxSize: maxBytes,
    maxEntrySize,
    sizeCalculation,
  })
  return {
    put: (bytes) => inner.put(bytes),
    list: () => inner.list(),
    check: () => inner.check(),
    async receive(stream, maxReceived) {
      const watched = watch(stream)
      return remembering(await inner.receive(watched.stream, maxReceived), watched, (sha256, bytes) =>
        cache.set(sha256, bytes),
      )
    },
    async read(sha256) {
      const known = cache.get(sha256)
      if (known !== undefined) return known
      const bytes = await inner.read(sha256)
      cache.set(sha256, bytes)
      return bytes
    },
    async open(sha256) {
      const known = cache.get(sha256)
      return known === undefined ? await inner.open(sha256) : { bytes: known.length, stream: only(known) }
    },
    async remove(sha256) {
      cache.delete(sha256)
      await inner.remove(sha256)
      cache.delete(sha256) // who read it meanwhile
    },
  }
}

const sizeCalculation = (bytes: Uint8Array): number => Math.max(1, bytes.length)

interface Watched {
  readonly stream: AsyncIterable<Uint8Array>
  /** The bytes that came, where they came in one piece. */
  readonly whole: () => Uint8Array | undefined
}

/** Lets a stream pass, and remembers it if it is a single piece: several may be more than memory should hold. */
function watch(stream: AsyncIterable<Uint8Array>): Watched {
  let pieces = 0
  let first: Uint8Array | undefined
  async function* passing(): AsyncIterable<Uint8Array> {
    for await (const piece of stream) {
      pieces += 1
      first = pieces === 1 ? piece : undefined
      yield piece
    }
  }
  return { stream: passing(), whole: () => first }
}

/** An object that arrives; its bytes stay in memory if they are there anyhow by the time it is kept. */
function remembering(
  pending: PendingBlob,
  { whole }: Watched,
  remember: (sha256: string, bytes: Uint8Array) => void,
): PendingBlob {
  const { sha256, bytes } = pending
  let known = whole()
  return {
    sha256,
    bytes,
    async read() {
      known ??= await pending.read()
      return known
    },
    async keep() {
      await pending.keep()
      if (known !== undefined) remember(sha256, known)
    },
    [Symbol.asyncDispose]: () => pending[Symbol.asyncDispose](),
  }
}
