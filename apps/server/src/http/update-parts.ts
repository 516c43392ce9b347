import { FedsvdError } from '@fedsvd/core/errors'
import { LRUCache } from 'lru-cache'
import type { BlobStore } from '../blobs/index.ts'
import type { UploadRight } from '../identity/index.ts'

/** The most that one part may have, and the most parts of one update. */
export const LONGEST_PART_BYTES = 4 * 2 ** 20
export const MOST_PARTS = 4096
/** A sender that finds its parts too large for a proxy begins again with smaller ones. */
const TIMES_OVER = 3
const MOST_PLACES = 10_000

/**
 * Parts of updates, for senders whose proxies take no large bodies. A part is an object like any other, so it does not matter
 * which of several coordinators gets it; nothing refers to it, so it is collected like all that nothing refers to.
 */
export class UpdateParts {
  readonly #blobs: BlobStore
  /** What one invitation has brought here: bytes by SHA-256. */
  readonly #taken = new LRUCache<string, Map<string, number>>({ max: MOST_PLACES })

  constructor(blobs: BlobStore) {
    this.#blobs = blobs
  }

  /**
   * Keeps a part.
   *
   * @param updateBytes how many bytes the whole update has
   * @throws FedsvdError FRAME_TOO_LARGE for a long part, and for more parts than an update can have; FRAME_CHECKSUM
   */
  async take(
    place: UploadRight,
    { sha256, stream, updateBytes }: { sha256: string; stream: AsyncIterable<Uint8Array>; updateBytes: number },
  ): Promise<void> {
    const key = JSON.stringify([place.runId, place.round, place.clientId])
    const taken = this.#taken.get(key) ?? new Map<string, number>()
    this.#taken.set(key, taken)
    const before = taken.has(sha256) ? 0 : [...taken.values()].reduce((sum, bytes) => sum + bytes, 0)
    const room = TIMES_OVER * updateBytes - before
    if (room <= 0 || taken.size > TIMES_OVER * MOST_PARTS) throw tooMuch(updateBytes, before)
    const mostBytes = Math.min(LONGEST_PART_BYTES, room)
    taken.set(sha256, mostBytes) // parts that arrive at the same time count too
    try {
      await using part = await this.#blobs.receive(stream, mostBytes)
      if (part.sha256 !== sha256) throw otherPart(sha256, part.sha256)
      await part.keep()
      taken.set(sha256, part.bytes)
    } catch (error) {
      taken.delete(sha256)
      throw error
    }
  }

  /** The bytes of an update, out of its parts in order. @throws FedsvdError BLOB_NOT_FOUND for a part that is not here */
  async *join(parts: readonly string[]): AsyncGenerator<Uint8Array> {
    for (const sha256 of parts) yield* (await this.#blobs.open(sha256)).stream
  }
}

function otherPart(expected: string, got: string): FedsvdError {
  return new FedsvdError('FRAME_CHECKSUM', {
    expected: `a part with SHA-256 ${expected}`,
    got,
    remedy: 'Send it again.',
  })
}

function tooMuch(updateBytes: number, got: number): FedsvdError {
  return new FedsvdError('FRAME_TOO_LARGE', {
    expected: `parts of an update of ${updateBytes} bytes, at most ${TIMES_OVER} times over and ${MOST_PARTS} of them`,
    got: `${got} bytes before this part`,
    remedy: 'Join what was sent.',
  })
}
