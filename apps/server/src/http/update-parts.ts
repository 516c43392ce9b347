import { FedsvdError } from '@fedsvd/core/errors'
import { LRUCache } from 'lru-cache'
import type { UploadRight } from '../identity/index.ts'
import type { BlobStore } from '../storage/objects/index.ts'

/** The most that one part may have, and the most parts of one update. */
export const LONGEST_PART_BYTES = 4 * 2 ** 20
export const MOST_PARTS = 4096
/** A sender that finds its parts too large for a proxy begins again with smaller ones. */
const TIMES_OVER = 3
const MOST_PLACES = 10_000

/** A part on its way, and what it may be a part of. */
export interface ArrivingPart {
  readonly sha256: string
  readonly stream: AsyncIterable<Uint8Array>
  /** How many bytes the whole update has. */
  readonly updateBytes: number
  /** Whether its round may still count an update. All rounds of a run that may not share what one may bring. */
  readonly isOpen: boolean
}

/** What one invitation has brought here. */
interface Place {
  /** Bytes by SHA-256: what was kept counts, whatever becomes of a second part of the same name. */
  readonly kept: Map<string, number>
  /** Parts that arrive at the same time count too, by the most that each may have. */
  arriving: number
  arrivingBytes: number
}

/**
 * Parts of updates, for senders whose proxies take no large bodies. A part is an object like any other, so it does not
 * matter which of several coordinators gets it; nothing refers to it, so it is collected like all that nothing refers
 * to.
 */
export class UpdateParts {
  readonly #blobs: BlobStore
  readonly #places = new LRUCache<string, Place>({ max: MOST_PLACES })

  constructor(blobs: BlobStore) {
    this.#blobs = blobs
  }

  /**
   * Keeps a part.
   *
   * @throws FedsvdError FRAME_TOO_LARGE for a long part, and for more parts than an update can have; FRAME_CHECKSUM
   */
  async take(right: UploadRight, { sha256, stream, updateBytes, isOpen }: ArrivingPart): Promise<void> {
    const place = this.#placeOf(right, isOpen)
    const known = place.kept.get(sha256)
    const before = place.arrivingBytes + [...place.kept.values()].reduce((sum, bytes) => sum + bytes, 0)
    const room = known ?? TIMES_OVER * updateBytes - before
    const isOneTooMany = known === undefined && place.kept.size + place.arriving >= TIMES_OVER * MOST_PARTS
    if ((known === undefined && room <= 0) || isOneTooMany) throw tooMuch(updateBytes, before)
    const mostBytes = Math.min(LONGEST_PART_BYTES, room)
    place.arriving += 1
    place.arrivingBytes += mostBytes
    try {
      await using part = await this.#blobs.receive(stream, mostBytes)
      if (part.sha256 !== sha256) throw otherPart(sha256, part.sha256)
      await part.keep()
      place.kept.set(sha256, part.bytes)
    } finally {
      place.arriving -= 1
      place.arrivingBytes -= mostBytes
    }
  }

  #placeOf({ runId, round, clientId }: UploadRight, isOpen: boolean): Place {
    const key = JSON.stringify([runId, isOpen ? round : 'closed', clientId])
    const place = this.#places.get(key) ?? { kept: new Map(), arriving: 0, arrivingBytes: 0 }
    this.#places.set(key, place)
    return place
  }

  /**
   * The bytes of an update, out of its parts in order. @throws FedsvdError BLOB_NOT_FOUND for a part that is not here
   */
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
