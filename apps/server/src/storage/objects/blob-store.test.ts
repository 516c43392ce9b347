import { createHash } from 'node:crypto'
import { open, readdir, stat, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { S3_BUCKET, S3_KEYS, S3_REGION, s3Double, temporaryFolder } from '@fedsvd/testing/server'
import { describe, expect, it } from 'vitest'
import type { BlobStore, PendingBlob, StoredBlob } from './blob-store.ts'
import { cachingBlobs } from './caching-blobs.ts'
import { openFileBlobs } from './file-blobs.ts'
import { memoryBlobs } from './memory-blobs.ts'
import { openS3Blobs } from './s3-blobs.ts'

const bytes = Uint8Array.from({ length: 5000 }, (_, index) => index % 251)
const sha256 = hashOf(bytes)

/** A store, and what a test may do to what lies behind it. */
interface Subject extends AsyncDisposable {
  readonly blobs: BlobStore
  /** Everything that is left anywhere: names of objects and of files on their way. */
  leftovers(): Promise<readonly string[]>
  damage(name: string): Promise<void>
  /** Makes an object look as if it had been written an hour ago. */
  age(name: string): Promise<void>
}

async function inFiles(): Promise<Subject> {
  const folder = await temporaryFolder()
  const fileOf = (name: string): string => path.join(folder.path, name.slice(0, 2), name)
  const hourAgo = new Date(Date.now() - 3_600_000)
  return {
    blobs: await openFileBlobs(folder.path),
    leftovers: () => filesBelow(folder.path),
    damage: (name) => writeFile(fileOf(name), 'no tensors'),
    age: (name) => utimes(fileOf(name), hourAgo, hourAgo),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

const subjects: Record<string, () => Promise<Subject>> = {
  'in memory': async () => {
    const [objects, written] = [new Map<string, Uint8Array>(), new Map<string, number>()]
    return {
      blobs: memoryBlobs(objects, Date.now, written),
      leftovers: async () => [...objects.keys()].sort(),
      damage: async (name) => void objects.set(name, Uint8Array.of(1, 2, 3)),
      age: async (name) => void written.set(name, Date.now() - 3_600_000),
      async [Symbol.asyncDispose]() {},
    }
  },
  'in files': inFiles,
  'in files, the newest in memory': async () => {
    const files = await inFiles()
    return { ...files, blobs: cachingBlobs(files.blobs, 1_000_000) }
  },
  'in an S3-compatible store': async () => {
    const [folder, double] = [await temporaryFolder(), await s3Double()]
    const at = { endpoint: double.endpoint, region: S3_REGION, bucket: S3_BUCKET, prefix: 'a/b' }
    const object = (name: string) => double.objects.get(`a/b/${name}`)!
    return {
      blobs: await openS3Blobs({ ...at, ...S3_KEYS }, folder.path),
      leftovers: async () => [
        ...[...double.objects.keys()].map((key) => key.replace('a/b/', '')).sort(),
        ...(await filesBelow(folder.path)),
      ],
      damage: async (name) => void Object.assign(object(name), { bytes: Uint8Array.of(1) }),
      age: async (name) => void Object.assign(object(name), { writtenAt: Date.now() - 3_600_000 }),
      async [Symbol.asyncDispose]() {
        expect(double.refusals).toEqual([])
        await double[Symbol.asyncDispose]()
        await folder[Symbol.asyncDispose]()
      },
    }
  },
}

describe.each(Object.entries(subjects))('blobs %s', (_, open) => {
  it('name an object by its hash, once, and give it back', async () => {
    await using at = await open()
    expect(await at.blobs.put(bytes)).toEqual({ sha256, bytes: 5000 })
    expect(await at.blobs.put(bytes)).toEqual({ sha256, bytes: 5000 })
    expect(await at.leftovers()).toEqual([sha256])
    expect(new Uint8Array(await at.blobs.read(sha256))).toEqual(bytes)
    const { bytes: size, stream } = await at.blobs.open(sha256)
    expect(size).toBe(5000)
    expect(await collected(stream)).toEqual(bytes)
  })

  it('keep an object of no bytes', async () => {
    await using at = await open()
    const { sha256: name } = await at.blobs.put(new Uint8Array())
    expect(name).toBe(hashOf(new Uint8Array()))
    expect((await at.blobs.read(name)).length).toBe(0)
    expect((await collected((await at.blobs.open(name)).stream)).length).toBe(0)
  })

  it('show what has arrived before it is kept, and keep it under its hash', async () => {
    await using at = await open()
    {
      await using pending = await at.blobs.receive(chunks(bytes, 700), 5000)
      expect(pending).toMatchObject({ sha256, bytes: 5000 })
      expect(await pending.read()).toEqual(bytes)
      await expect(at.blobs.read(sha256)).rejects.toThrow(/BLOB_NOT_FOUND/)
      await pending.keep()
    }
    expect(new Uint8Array(await at.blobs.read(sha256))).toEqual(bytes)
    expect(await at.leftovers()).toEqual([sha256])
  })

  it('leave nothing behind of what is not kept, too large, or cut off', async () => {
    await using at = await open()
    const pending = await at.blobs.receive(chunks(bytes, 700), 5000)
    await pending[Symbol.asyncDispose]()
    await expect(at.blobs.receive(chunks(bytes, 700), 4999)).rejects.toThrow(
      /FRAME_TOO_LARGE: expected at most 4999 bytes, got 5000 bytes or more/,
    )
    await expect(at.blobs.receive(chunks(bytes, 700, new Error('cut')), 9000)).rejects.toThrow('cut')
    const large = new Uint8Array(17_000_000)
    const unwanted = await at.blobs.receive(chunks(large, 70_000), 17_000_000)
    await unwanted[Symbol.asyncDispose]()
    await expect(at.blobs.receive(chunks(large, 70_000), 16_999_999)).rejects.toThrow(/FRAME_TOO_LARGE/)
    await expect(at.blobs.receive(chunks(large, 70_000, new Error('cut')), 20_000_000)).rejects.toThrow('cut')
    expect(await at.leftovers()).toEqual([])
  })

  it('stop reading a stream as soon as it is too long', async () => {
    await using at = await open()
    let given = 0
    const endless = async function* () {
      for (;;) {
        given += 1000
        yield new Uint8Array(1000)
      }
    }
    await expect(at.blobs.receive(endless(), 10_000)).rejects.toThrow(/FRAME_TOO_LARGE/)
    expect(given).toBe(11_000)
  })

  it('take the same object from two senders at once', async () => {
    await using at = await open()
    const both = await Promise.all([
      at.blobs.receive(chunks(bytes, 700), 5000),
      at.blobs.receive(chunks(bytes, 900), 5000),
    ])
    await Promise.all(both.map((pending) => pending.keep()))
    for (const pending of both) await pending[Symbol.asyncDispose]()
    expect(await at.leftovers()).toEqual([sha256])
  })

  it('list every object with its size and when it was last written, over as many pages as it takes', async () => {
    await using at = await open()
    const names: string[] = []
    for (let size = 1; size <= 5; size += 1) names.push((await at.blobs.put(new Uint8Array(size))).sha256)
    await at.age(names[0]!)
    const old = (await listed(at.blobs)).find((blob) => blob.sha256 === names[0])!
    expect(Date.now() - old.writtenAt).toBeGreaterThan(3_000_000)
    await at.blobs.put(new Uint8Array(1)) // to write the same again is to write it now
    const found = await listed(at.blobs)
    expect(found.map((blob) => blob.sha256)).toEqual(names.toSorted())
    for (const { sha256: name, bytes: size, writtenAt } of found) {
      expect(size).toBe(names.indexOf(name) + 1)
      expect(Math.abs(Date.now() - writtenAt)).toBeLessThan(3_000_000)
    }
  })

  it('remove an object, and one that is not there', async () => {
    await using at = await open()
    await at.blobs.put(bytes)
    await at.blobs.remove(sha256)
    await at.blobs.remove(sha256)
    expect(await at.leftovers()).toEqual([])
    await expect(at.blobs.read(sha256)).rejects.toThrow(/BLOB_NOT_FOUND/)
    await expect(at.blobs.open(sha256)).rejects.toThrow(/BLOB_NOT_FOUND/)
  })

  it('never give bytes under a name that is not theirs', async () => {
    await using at = await open()
    await at.blobs.put(bytes)
    await at.damage(sha256)
    await expect(at.blobs.read(sha256)).rejects.toThrow(/FRAME_CHECKSUM/)
  })

  it('can be asked whether they take bytes, and hold no object for it', async () => {
    await using at = await open()
    await at.blobs.check()
    expect(await listed(at.blobs)).toEqual([])
  })

  it.each(['../../operator.token', '', sha256.toUpperCase(), `${sha256}/..`, `${sha256.slice(2)}/.`, 'probe', '\0'])(
    'find nothing under the name %j',
    async (name) => {
      await using at = await open()
      await at.blobs.put(bytes)
      await expect(async () => at.blobs.read(name)).rejects.toThrow(/BLOB_NOT_FOUND/)
      await expect(async () => at.blobs.open(name)).rejects.toThrow(/BLOB_NOT_FOUND/)
      await expect(async () => at.blobs.remove(name)).rejects.toThrow(/BLOB_NOT_FOUND/)
    },
  )
})

describe('blobs in files', () => {
  it('remove what a process that died had not finished, and leave what another one may be writing', async () => {
    await using folder = await temporaryFolder()
    await openFileBlobs(folder.path)
    const abandoned = path.join(folder.path, 'incoming', 'abandoned')
    for (const file of [abandoned, path.join(folder.path, 'incoming', 'fresh')]) await writeFile(file, 'half')
    const hoursAgo = new Date(Date.now() - 2 * 3_600_000)
    await utimes(abandoned, hoursAgo, hoursAgo)
    await openFileBlobs(folder.path)
    expect(await filesBelow(folder.path)).toEqual(['fresh'])
  })

  it('make a file of what arrives only where memory has no room for it, and of the rest when it is kept', async () => {
    await using folder = await temporaryFolder()
    const blobs = await openFileBlobs(folder.path)
    const inFiles = async () => (await filesBelow(folder.path)).length
    const frame = Buffer.alloc(4_000_000, 'frame')
    const arrivals: PendingBlob[] = []
    for (let count = 0; count < 20; count += 1) arrivals.push(await blobs.receive(chunks(frame, 65_536), frame.length))
    expect(await inFiles()).toBe(4) // 80 MB, of which 64 MiB fit
    for (const arrival of arrivals) expect(Buffer.compare(await arrival.read(), frame)).toBe(0)
    await arrivals[0]!.keep()
    for (const arrival of arrivals) await arrival[Symbol.asyncDispose]()
    expect(await filesBelow(folder.path)).toEqual([arrivals[0]!.sha256])
    await using _fits = await blobs.receive(chunks(frame, 65_536), frame.length)
    expect(await inFiles()).toBe(1)
    const huge = Buffer.alloc(17_000_000)
    await using _tooLarge = await blobs.receive(chunks(huge, 65_536), huge.length)
    expect(await inFiles()).toBe(2)
  })

  it('hold no more memory than that for a sender of single bytes, each of which costs more than it is', async () => {
    await using folder = await temporaryFolder()
    const blobs = await openFileBlobs(folder.path)
    // 20 MB as single bytes, a quarter of 64 MiB is the most that one may take
    const drip = Buffer.alloc(40_000, 'drip')
    await using arrived = await blobs.receive(chunks(drip, 1), drip.length)
    expect(await filesBelow(folder.path)).toHaveLength(1)
    expect(Buffer.compare(await arrived.read(), drip)).toBe(0)
  })

  it('are whole where the system writes less than it was asked to', async () => {
    await using folder = await temporaryFolder()
    const slowly: typeof open = async (...args) => {
      const handle = await open(...args)
      return new Proxy(handle, {
        get(target, name) {
          if (name === 'writev') {
            return async ([first]: Uint8Array[], position: number) =>
              await target.write(first!, 0, Math.min(99, first!.length), position)
          }
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    }
    const blobs = await openFileBlobs(folder.path, slowly)
    await using pending = await blobs.receive(chunks(bytes, 700), 5000)
    await pending.keep()
    expect(new Uint8Array(await blobs.read(sha256))).toEqual(bytes)
  })

  it('can be read by their owner alone', async () => {
    await using folder = await temporaryFolder()
    const blobs = await openFileBlobs(folder.path)
    await blobs.put(bytes)
    const file = path.join(folder.path, sha256.slice(0, 2), sha256)
    expect((await stat(file)).mode & 0o077).toBe(0)
    expect((await stat(path.dirname(file))).mode & 0o077).toBe(0)
  })
})

describe('blobs of which the newest are in memory', () => {
  /** Ten objects of which each was read before it was kept, over a store that has lost its bytes since. */
  async function tenKept(maxBytes: number) {
    const objects = new Map<string, Uint8Array>()
    const blobs = cachingBlobs(memoryBlobs(objects), maxBytes)
    const names: string[] = []
    for (let index = 0; index < 10; index += 1) {
      await using pending = await blobs.receive(chunks(new Uint8Array(1000).fill(index), 300), 1000)
      await pending.read()
      await pending.keep()
      names.push(pending.sha256)
    }
    objects.clear()
    const found = await Promise.all(names.map((name) => blobs.read(name).catch(() => undefined)))
    return { blobs, names, inMemory: found.flatMap((bytes, index) => (bytes === undefined ? [] : [index])) }
  }

  it('are read and sent from there, and not once they were removed', async () => {
    const { blobs, names, inMemory } = await tenKept(100_000)
    expect(inMemory).toHaveLength(10)
    expect(await blobs.read(names[3]!)).toEqual(new Uint8Array(1000).fill(3))
    expect(await collected((await blobs.open(names[3]!)).stream)).toEqual(new Uint8Array(1000).fill(3))
    await blobs.remove(names[3]!)
    await expect(blobs.read(names[3]!)).rejects.toThrow(/BLOB_NOT_FOUND/)
  })

  it('take no more memory than they may, and leave large objects to the store', async () => {
    expect((await tenKept(4000)).inMemory).toEqual([6, 7, 8, 9])
    expect((await tenKept(3900)).inMemory).toEqual([])
  })
})

describe('blobs in an S3-compatible store', () => {
  it('say STORAGE_UNAVAILABLE while it does not answer, has no room or refuses the credentials, and go on after', async () => {
    await using folder = await temporaryFolder()
    await using double = await s3Double()
    const at = { endpoint: double.endpoint, region: S3_REGION, bucket: S3_BUCKET, prefix: '', ...S3_KEYS }
    const blobs = await openS3Blobs(at, folder.path)
    for (const fault of [
      { status: 503, code: 'SlowDown' },
      { status: 507, code: 'InsufficientStorage' },
      { status: 403, code: 'ExpiredToken' },
    ]) {
      double.fail(fault)
      for (const attempt of [
        () => blobs.put(bytes),
        () => blobs.read(sha256),
        () => listed(blobs),
        () => blobs.check(),
      ]) {
        await expect(attempt()).rejects.toThrow(new RegExp(`STORAGE_UNAVAILABLE.*${fault.code}: refused & closed`))
      }
    }
    double.fail(undefined)
    await blobs.put(bytes)
    expect(new Uint8Array(await blobs.read(sha256))).toEqual(bytes)
    const gone = await s3Double()
    await gone[Symbol.asyncDispose]()
    const nowhere = await openS3Blobs({ ...at, endpoint: gone.endpoint }, folder.path)
    await expect(nowhere.put(bytes)).rejects.toThrow(/STORAGE_UNAVAILABLE.*ECONNREFUSED/)
    const elsewhere = await openS3Blobs({ ...at, bucket: 'another' }, folder.path)
    await expect(elsewhere.read(sha256)).rejects.toThrow(/STORAGE_UNAVAILABLE.*NoSuchBucket/)
    expect(await filesBelow(folder.path)).toEqual([])
  })

  it('are refused with another secret, another region or other bytes: the double does verify', async () => {
    await using folder = await temporaryFolder()
    await using double = await s3Double()
    const at = { endpoint: double.endpoint, region: S3_REGION, bucket: S3_BUCKET, prefix: '', ...S3_KEYS }
    const wrongSecret = await openS3Blobs({ ...at, secretAccessKey: 'another' }, folder.path)
    await expect(wrongSecret.put(bytes)).rejects.toThrow(/SignatureDoesNotMatch/)
    const wrongRegion = await openS3Blobs({ ...at, region: 'us-east-1' }, folder.path)
    await expect(wrongRegion.put(bytes)).rejects.toThrow(/AuthorizationHeaderMalformed/)
    const blobs = await openS3Blobs(at, folder.path)
    await using pending = await blobs.receive(chunks(new Uint8Array(17_000_000).fill(1), 70_000), 17_000_000)
    const [file] = await filesBelow(folder.path)
    await writeFile(path.join(folder.path, file!), new Uint8Array(17_000_000))
    await expect(pending.keep()).rejects.toThrow(/XAmzContentSHA256Mismatch/)
    expect(double.objects.size).toBe(0)
  })
})

function hashOf(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

async function* chunks(source: Uint8Array, size: number, fault?: Error): AsyncIterable<Uint8Array> {
  for (let start = 0; start < source.length; start += size) yield source.subarray(start, start + size)
  if (fault) throw fault
}

async function collected(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of stream) parts.push(part)
  return new Uint8Array(Buffer.concat(parts))
}

async function listed(blobs: BlobStore): Promise<StoredBlob[]> {
  const found: StoredBlob[] = []
  for await (const blob of blobs.list()) found.push(blob)
  return found
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}
