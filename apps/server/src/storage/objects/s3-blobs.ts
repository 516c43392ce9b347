import { createHash } from 'node:crypto'
import type { BlobStore, PendingBlob } from './blob-store.ts'
import { blobNotFound, checkBytes, checkName, isName, storageUnavailable } from './faults.ts'
import { only } from './file-blobs.ts'
import { S3Client, type S3Settings } from './s3-client.ts'
import { openSpool } from './spool.ts'

const PROBE = 'probe'

/**
 * Objects in an S3-compatible store, each under `<prefix>/<sha256>`. Bytes arrive in memory or in a file of
 * `spoolFolder`, as their name is known only when they are whole; one PUT makes an object appear as a whole, under the
 * hash that its signature covers.
 */
export async function openS3Blobs(settings: S3Settings, spoolFolder: string): Promise<BlobStore> {
  const client = new S3Client(settings)
  const spool = await openSpool(spoolFolder)

  const get = async (sha256: string): Promise<Response> => {
    checkName(sha256)
    const response = await client.get(sha256)
    if (response === undefined) throw blobNotFound(sha256)
    return response
  }

  async function receive(stream: AsyncIterable<Uint8Array>, maxBytes: number): Promise<PendingBlob> {
    const arrived = await spool.take(stream, maxBytes)
    const { sha256, bytes } = arrived
    return {
      sha256,
      bytes,
      read: () => arrived.read(),
      keep: () => client.put(sha256, { sha256, bytes, content: arrived.content() }),
      [Symbol.asyncDispose]: () => arrived[Symbol.asyncDispose](),
    }
  }

  return {
    receive,
    async put(bytes) {
      await using blob = await receive(only(bytes), bytes.length)
      await blob.keep()
      return { sha256: blob.sha256, bytes: blob.bytes }
    },
    read: async (sha256) => checkBytes(sha256, await bodyOf(await get(sha256))),
    async open(sha256) {
      const { headers, body } = await get(sha256)
      return { bytes: Number(headers.get('content-length')), stream: body ?? only(new Uint8Array()) }
    },
    async *list() {
      for await (const { key, bytes, writtenAt } of client.list()) {
        if (isName(key)) yield { sha256: key, bytes, writtenAt }
      }
    },
    async remove(sha256) {
      checkName(sha256)
      await client.remove(sha256)
    },
    async check() {
      const content = Buffer.from('fedsvd')
      const sha256 = createHash('sha256').update(content).digest('hex')
      await client.put(PROBE, { sha256, bytes: content.length, content: only(content) })
    },
  }
}

async function bodyOf(response: Response): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer())
  } catch (error) {
    throw storageUnavailable('an answer that broke off', error)
  }
}
