import { createHash } from 'node:crypto'
import { readdir, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../test-kit/temporary-folder.ts'
import { openFileBlobs } from './file-blobs.ts'

const bytes = Uint8Array.from({ length: 5000 }, (_, index) => index % 251)
const sha256 = createHash('sha256').update(bytes).digest('hex')

async function* chunks(source: Uint8Array, size: number, fault?: Error): AsyncIterable<Uint8Array> {
  for (let start = 0; start < source.length; start += size) yield source.subarray(start, start + size)
  if (fault) throw fault
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}

describe('blobs in files', () => {
  it('names an object by its hash, once, and gives it back', async () => {
    await using folder = await temporaryFolder()
    const blobs = await openFileBlobs(folder.path)
    expect(await blobs.put(bytes)).toEqual({ sha256, bytes: 5000 })
    expect(await blobs.put(bytes)).toEqual({ sha256, bytes: 5000 })
    expect(await filesBelow(folder.path)).toEqual([sha256])
    expect(new Uint8Array(await blobs.read(sha256))).toEqual(bytes)
    const { bytes: size, stream } = await blobs.open(sha256)
    const parts: Uint8Array[] = []
    for await (const part of stream) parts.push(part)
    expect(size).toBe(5000)
    expect(new Uint8Array(Buffer.concat(parts))).toEqual(bytes)
  })

  it('shows what has arrived before it is kept, and keeps it under its hash', async () => {
    await using folder = await temporaryFolder()
    const blobs = await openFileBlobs(folder.path)
    await using pending = await blobs.receive(chunks(bytes, 700), 5000)
    expect(pending).toMatchObject({ sha256, bytes: 5000 })
    expect(await pending.read()).toEqual(bytes)
    await expect(blobs.read(sha256)).rejects.toThrow(/BLOB_NOT_FOUND/)
    await pending.keep()
    expect(new Uint8Array(await blobs.read(sha256))).toEqual(bytes)
  })

  it('leaves nothing behind of what is not kept, too large, or cut off', async () => {
    await using folder = await temporaryFolder()
    const blobs = await openFileBlobs(folder.path)
    const pending = await blobs.receive(chunks(bytes, 700), 5000)
    await pending[Symbol.asyncDispose]()
    await expect(blobs.receive(chunks(bytes, 700), 4999)).rejects.toThrow(
      /FRAME_TOO_LARGE: expected at most 4999 bytes, got 5000 bytes or more/,
    )
    await expect(blobs.receive(chunks(bytes, 700, new Error('cut')), 9000)).rejects.toThrow('cut')
    expect(await filesBelow(folder.path)).toEqual([])
  })

  it('takes the same object from two senders at once', async () => {
    await using folder = await temporaryFolder()
    const blobs = await openFileBlobs(folder.path)
    const both = await Promise.all([blobs.receive(chunks(bytes, 700), 5000), blobs.receive(chunks(bytes, 900), 5000)])
    await Promise.all(both.map((pending) => pending.keep()))
    expect(await filesBelow(folder.path)).toEqual([sha256])
  })

  it('removes what a process that died had not finished, and leaves what another is writing', async () => {
    await using folder = await temporaryFolder()
    const other = await openFileBlobs(folder.path)
    const half = path.join(folder.path, 'incoming', 'half')
    await writeFile(half, 'half')
    await utimes(half, new Date(), new Date(Date.now() - 2 * 3_600_000))
    const pending = await other.receive(chunks(bytes, 700), 5000)
    await openFileBlobs(folder.path)
    await pending.keep()
    expect(await filesBelow(folder.path)).toEqual([sha256])
  })

  it.each(['../../operator.token', '', sha256.toUpperCase(), `${sha256}/..`])(
    'finds nothing under the name %j',
    async (name) => {
      await using folder = await temporaryFolder()
      const blobs = await openFileBlobs(folder.path)
      await blobs.put(bytes)
      await expect(async () => blobs.read(name)).rejects.toThrow(/BLOB_NOT_FOUND/)
      await expect(async () => blobs.open(name)).rejects.toThrow(/BLOB_NOT_FOUND/)
    },
  )
})
