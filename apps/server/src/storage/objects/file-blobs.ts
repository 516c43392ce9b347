import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import type { BlobStore, PendingBlob, StoredBlob } from './blob-store.ts'
import { blobNotFound, checkBytes, checkName, isName, onDisk } from './faults.ts'
import { type Arrived, openSpool } from './spool.ts'
import type { OpenFile } from './spool-file.ts'

/**
 * Objects as files `<first two hex digits>/<sha256>` below a folder. A file appears under its name only when it is
 * whole: it is written to `incoming/`, flushed, renamed, and its folder is flushed.
 */
export async function openFileBlobs(folder: string, openFile: OpenFile = open): Promise<BlobStore> {
  const spool = await openSpool(path.join(folder, 'incoming'), openFile)

  const shards = new Set<string>()

  const fileOf = (sha256: string): string => {
    checkName(sha256)
    return path.join(folder, sha256.slice(0, 2), sha256)
  }

  /** Gives the file its name; over one that has it already, which has the same bytes. */
  async function keep(arrived: Arrived): Promise<void> {
    const target = fileOf(arrived.sha256)
    await arrived.sync()
    await makeShard(path.dirname(target))
    await rename(arrived.file, target)
    await arrived.handOver()
    await syncFolder(path.dirname(target))
  }

  /** The folder is there, and flushed, once this has resolved. */
  async function makeShard(shard: string): Promise<void> {
    if (shards.has(shard)) return
    await mkdir(shard, { recursive: true, mode: 0o700 })
    await syncFolder(folder)
    shards.add(shard)
  }

  const pending = (arrived: Arrived): PendingBlob => ({
    sha256: arrived.sha256,
    bytes: arrived.bytes,
    read: () => arrived.read(),
    keep: () => onDisk(() => keep(arrived)),
    [Symbol.asyncDispose]: () => arrived[Symbol.asyncDispose](),
  })

  return {
    receive: async (stream, maxBytes) => pending(await spool.take(stream, maxBytes)),
    put: (bytes) =>
      onDisk(async () => {
        await using arrived = await spool.take(only(bytes), bytes.length)
        await keep(arrived)
        return { sha256: arrived.sha256, bytes: arrived.bytes }
      }),
    read: (sha256) => onDisk(async () => checkBytes(sha256, await readFile(fileOf(sha256)).catch(missing(sha256)))),
    open: (sha256) =>
      onDisk(async () => {
        const file = fileOf(sha256)
        const { size } = await stat(file).catch(missing(sha256))
        return { bytes: size, stream: createReadStream(file) }
      }),
    list: () => listFiles(folder),
    remove: (sha256) => onDisk(() => rm(fileOf(sha256), { force: true })),
    async check() {
      await using probe = await spool.take(only(new Uint8Array(PROBE_BYTES)), PROBE_BYTES)
      await probe.sync()
    },
  }
}

/** Enough that a disk without room shows. */
const PROBE_BYTES = 64 * 1024

async function* listFiles(folder: string): AsyncIterable<StoredBlob> {
  for (const shard of (await readdir(folder)).sort()) {
    if (!/^[0-9a-f]{2}$/.test(shard)) continue
    for (const sha256 of (await readdir(path.join(folder, shard))).sort()) {
      if (!isName(sha256)) continue
      const found = await stat(path.join(folder, shard, sha256)).catch(() => undefined)
      if (found !== undefined) yield { sha256, bytes: found.size, writtenAt: found.mtimeMs }
    }
  }
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return // a folder cannot be opened there
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export async function* only(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

function missing(sha256: string) {
  return (error: NodeJS.ErrnoException): never => {
    throw error.code === 'ENOENT' ? blobNotFound(sha256) : error
  }
}
