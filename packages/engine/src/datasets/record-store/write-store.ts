import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { makeFolder } from '../../files/index.ts'
import type { EncodedRecord } from '../encoding/encoded-record.ts'
import { ByteWriter, encodeRecord, FieldNames, type StoredRecord } from './codec.ts'
import { type Footer, hashedPart, INDEX_ENTRY, MAGIC } from './layout.ts'

const FLUSH_BYTES = 256 * 1024

/**
 * Writes a store of encoded records, one record at a time and in memory that does not grow: the index goes to a file of
 * its own beside it until the end. The file appears under its name when it is whole and on stable storage; before that,
 * and when this is disposed of without `finish`, there is nothing.
 */
export class RecordStoreWriter implements Disposable {
  readonly #path: string
  readonly #key: string
  readonly #records: Part
  readonly #index: Part
  readonly #fields = new FieldNames()
  readonly #writer = new ByteWriter()
  #count = 0

  /** @param key what decides the content of the store */
  constructor(path: string, key: string) {
    this.#path = path
    this.#key = key
    makeFolder(dirname(path))
    this.#records = new Part(`${path}.${process.pid}.tmp`)
    try {
      this.#index = new Part(`${path}.index.${process.pid}.tmp`)
    } catch (error) {
      this.#records[Symbol.dispose]()
      throw error
    }
  }

  add(record: EncodedRecord): void {
    this.#writer.clear()
    encodeRecord(record as unknown as StoredRecord, this.#fields, this.#writer)
    this.#index.append(indexEntry(this.#records.length, record.tokenIds.length))
    this.#records.append(this.#writer.bytes)
    this.#count += 1
  }

  /** Makes the store durable under its name. */
  finish(): void {
    const recordBytes = this.#records.length
    this.#index.append(indexEntry(recordBytes, 0))
    for (const piece of this.#index.readBack()) this.#records.append(piece)
    const about = { key: this.#key, records: this.#count, recordBytes, fields: this.#fields.names }
    const footer: Footer = { ...about, sha256: this.#records.digest(hashedPart(about)) }
    const text = Buffer.from(JSON.stringify(footer))
    const size = Buffer.alloc(4)
    size.writeUInt32LE(text.length)
    this.#records.append(Buffer.concat([text, size, MAGIC]))
    this.#records.rename(this.#path)
    this[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    this.#index[Symbol.dispose]()
    this.#records[Symbol.dispose]()
  }
}

function indexEntry(offset: number, tokens: number): Buffer {
  const entry = Buffer.alloc(INDEX_ENTRY)
  entry.writeBigUInt64LE(BigInt(offset))
  entry.writeUInt32LE(tokens, 8)
  return entry
}

/** A file that is written from the front, and hashed on the way. */
class Part implements Disposable {
  readonly #path: string
  readonly #hash = createHash('sha256')
  #fd: number | undefined
  #pending: Buffer[] = []
  #pendingBytes = 0
  length = 0

  constructor(path: string) {
    this.#path = path
    this.#fd = openSync(path, 'w+', 0o600)
  }

  append(bytes: Buffer): void {
    this.#pending.push(Buffer.from(bytes))
    this.#pendingBytes += bytes.length
    this.length += bytes.length
    if (this.#pendingBytes >= FLUSH_BYTES) this.#flush()
  }

  /** SHA-256 of all that was appended, and of `more`; once. */
  digest(more: string): string {
    this.#flush()
    return this.#hash.update(more).digest('hex')
  }

  *readBack(): Generator<Buffer> {
    this.#flush()
    const buffer = Buffer.allocUnsafe(FLUSH_BYTES)
    for (let from = 0; from < this.length; ) {
      const read = readSync(this.#fd!, buffer, 0, buffer.length, from)
      yield buffer.subarray(0, read)
      from += read
    }
  }

  /** Makes the file durable under its own name. */
  rename(path: string): void {
    this.#flush(false)
    fsyncSync(this.#fd!)
    closeSync(this.#fd!)
    this.#fd = undefined
    renameSync(this.#path, path)
  }

  [Symbol.dispose](): void {
    if (this.#fd === undefined) return
    closeSync(this.#fd)
    this.#fd = undefined
    rmSync(this.#path, { force: true })
  }

  #flush(hashed = true): void {
    const bytes = Buffer.concat(this.#pending)
    this.#pending = []
    this.#pendingBytes = 0
    if (hashed) this.#hash.update(bytes)
    for (let written = 0; written < bytes.length; ) written += writeSync(this.#fd!, bytes, written)
  }
}
