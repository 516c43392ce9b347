import { createHash } from 'node:crypto'
import { FedsvdError } from '@fedsvd/core/errors'
import type { BlobStore, PendingBlob } from '../src/blobs/index.ts'
import type { BlobRef } from '../src/store/index.ts'

/** Blobs that are forgotten with the process, under the same rules as files. */
export function memoryBlobs(objects = new Map<string, Uint8Array>()): BlobStore {
  const refOf = (bytes: Uint8Array): BlobRef => ({
    sha256: createHash('sha256').update(bytes).digest('hex'),
    bytes: bytes.length,
  })
  const read = async (sha256: string): Promise<Uint8Array> => {
    const bytes = objects.get(sha256)
    if (bytes !== undefined) return bytes
    throw new FedsvdError('BLOB_NOT_FOUND', { expected: 'a stored object', got: sha256, remedy: 'Ask for another.' })
  }
  return {
    read,
    async put(bytes) {
      objects.set(refOf(bytes).sha256, bytes)
      return refOf(bytes)
    },
    async receive(stream, maxBytes): Promise<PendingBlob> {
      const chunks: Uint8Array[] = []
      for await (const chunk of stream) {
        chunks.push(chunk)
        const got = chunks.reduce((sum, { length }) => sum + length, 0)
        if (got > maxBytes)
          throw new FedsvdError('FRAME_TOO_LARGE', {
            expected: `${maxBytes} bytes`,
            got: `${got}`,
            remedy: 'Send less.',
          })
      }
      const bytes = new Uint8Array(Buffer.concat(chunks))
      return {
        ...refOf(bytes),
        read: async () => bytes,
        async keep() {
          objects.set(refOf(bytes).sha256, bytes)
        },
        [Symbol.asyncDispose]: async () => {},
      }
    },
    async open(sha256) {
      const bytes = await read(sha256)
      return {
        bytes: bytes.length,
        stream: (async function* () {
          yield bytes
        })(),
      }
    },
  }
}
