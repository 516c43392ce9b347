import { createHash } from 'node:crypto'
import type { BlobRef } from '../records/index.ts'
import type { BlobStore, PendingBlob } from './blob-store.ts'
import { blobNotFound, blobTooLarge, checkBytes, checkName } from './faults.ts'
import { only } from './file-blobs.ts'

/** Objects that are forgotten with the process, under the same rules as files; times are in `written` beside them. */
export function memoryBlobs(
  objects = new Map<string, Uint8Array>(),
  now: () => number = Date.now,
  written = new Map<string, number>(),
): BlobStore {
  const keep = (bytes: Uint8Array): BlobRef => {
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    objects.set(sha256, bytes)
    written.set(sha256, now())
    return { sha256, bytes: bytes.length }
  }
  const read = async (sha256: string): Promise<Uint8Array> => {
    checkName(sha256)
    const bytes = objects.get(sha256)
    if (bytes === undefined) throw blobNotFound(sha256)
    return checkBytes(sha256, bytes)
  }
  return {
    read,
    put: async (bytes) => keep(bytes.slice()),
    async receive(stream, maxBytes): Promise<PendingBlob> {
      const chunks: Uint8Array[] = []
      const hash = createHash('sha256')
      let got = 0
      for await (const chunk of stream) {
        got += chunk.length
        if (got > maxBytes) throw blobTooLarge(maxBytes, got)
        hash.update(chunk)
        chunks.push(chunk.slice())
      }
      const bytes = new Uint8Array(Buffer.concat(chunks))
      return {
        sha256: hash.digest('hex'),
        bytes: got,
        read: async () => bytes,
        keep: async () => void keep(bytes),
        [Symbol.asyncDispose]: async () => {},
      }
    },
    async open(sha256) {
      const bytes = await read(sha256)
      return { bytes: bytes.length, stream: only(bytes) }
    },
    async *list() {
      for (const sha256 of [...objects.keys()].sort()) {
        yield { sha256, bytes: objects.get(sha256)?.length ?? 0, writtenAt: written.get(sha256) ?? 0 }
      }
    },
    async remove(sha256) {
      checkName(sha256)
      objects.delete(sha256)
    },
    check: async () => {},
  }
}
