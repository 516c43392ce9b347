import type { BlobRef } from '../store/index.ts'

/**
 * Immutable objects named by the SHA-256 of their bytes. An object that was kept survives the loss of power; writing the
 * same bytes again changes nothing. Files and object stores implement it alike.
 */
export interface BlobStore {
  put(bytes: Uint8Array): Promise<BlobRef>
  /**
   * Takes bytes in as they arrive, hashing them while they are written and never holding more than a chunk in memory.
   *
   * @throws FedsvdError FRAME_TOO_LARGE as soon as more than `maxBytes` have come; nothing is left behind
   */
  receive(stream: AsyncIterable<Uint8Array>, maxBytes: number): Promise<PendingBlob>
  /** @throws FedsvdError BLOB_NOT_FOUND */
  read(sha256: string): Promise<Uint8Array>
  /** The bytes as a stream, for sending. @throws FedsvdError BLOB_NOT_FOUND */
  open(sha256: string): Promise<{ readonly bytes: number; readonly stream: AsyncIterable<Uint8Array> }>
}

/** Bytes that have arrived and been hashed; they become an object when they are kept. */
export interface PendingBlob extends BlobRef, AsyncDisposable {
  read(): Promise<Uint8Array>
  keep(): Promise<void>
}
