import type { BlobRef } from '../records/index.ts'

/**
 * Immutable objects named by the SHA-256 of their bytes. An object that was kept survives the loss of power; writing
 * the same bytes again changes nothing but the time at which they were written. Memory, files and object stores
 * implement it alike (`blob-store.test.ts`). Every method throws FedsvdError STORAGE_UNAVAILABLE where the store has no
 * room or does not answer; what was asked for may then have happened or not, and may be asked for again.
 */
export interface BlobStore {
  put(bytes: Uint8Array): Promise<BlobRef>
  /**
   * Takes bytes in as they arrive and hashes them; they wait in memory, or in a file where they would take too much of
   * it.
   *
   * @throws FedsvdError FRAME_TOO_LARGE as soon as more than `maxBytes` have come; nothing is left behind
   */
  receive(stream: AsyncIterable<Uint8Array>, maxBytes: number): Promise<PendingBlob>
  /** @throws FedsvdError BLOB_NOT_FOUND, or FRAME_CHECKSUM where the stored bytes are no longer those that were kept */
  read(sha256: string): Promise<Uint8Array>
  /** The bytes as a stream, for sending. @throws FedsvdError BLOB_NOT_FOUND */
  open(sha256: string): Promise<{ readonly bytes: number; readonly stream: AsyncIterable<Uint8Array> }>
  /** Every object, in the order of names. One that is written or removed meanwhile may be there or not. */
  list(): AsyncIterable<StoredBlob>
  /** Removes an object; one that is not there stays so. */
  remove(sha256: string): Promise<void>
  /** Resolves when something could be written just now. */
  check(): Promise<void>
}

/** An object and when it was last written, in milliseconds since 1970 by the store's own clock. */
export interface StoredBlob extends BlobRef {
  readonly writtenAt: number
}

/** Bytes that have arrived and been hashed; they become an object when they are kept. */
export interface PendingBlob extends BlobRef, AsyncDisposable {
  read(): Promise<Uint8Array>
  keep(): Promise<void>
}
