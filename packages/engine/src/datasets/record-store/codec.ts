/**
 * How a store writes a record: which of its fields there are, then each of them. Numbers are whole and written as
 * zigzag varints (LEB128), lists behind their length, so that a token costs one byte below 64, two below 8192 and three
 * below a million. Fields are found by what records hold: a new kind of record needs no new codec.
 */
export type StoredRecord = Readonly<Record<string, number | Int32Array | undefined>>

const MOST_FIELDS = 16

/** The fields of the records of a store, in the order in which they were met. */
export class FieldNames {
  readonly #names: string[]

  constructor(names: readonly string[] = []) {
    this.#names = [...names]
  }

  get names(): readonly string[] {
    return this.#names
  }

  indexOf(name: string): number {
    const known = this.#names.indexOf(name)
    if (known >= 0) return known
    if (this.#names.length === MOST_FIELDS) throw new TypeError(`expected records of at most ${MOST_FIELDS} fields`)
    return this.#names.push(name) - 1
  }
}

/** Appends values to a buffer that grows as it must. */
export class ByteWriter {
  #buffer = Buffer.allocUnsafe(4096)
  #length = 0

  /** The bytes so far, good until the next call. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  clear(): void {
    this.#length = 0
  }

  /** A whole number of at most 32 bits, with its sign. */
  write(value: number): void {
    if (value !== (value | 0)) throw new TypeError(`expected a whole number of 32 bits, got ${value}`)
    if (this.#buffer.length - this.#length < 5) this.#grow()
    let rest = ((value << 1) ^ (value >> 31)) >>> 0
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#buffer[this.#length++] = rest
  }

  #grow(): void {
    const larger = Buffer.allocUnsafe(2 * this.#buffer.length)
    this.#buffer.copy(larger)
    this.#buffer = larger
  }
}

export function encodeRecord(record: StoredRecord, fields: FieldNames, writer: ByteWriter): void {
  const present = Object.entries(record)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ({ index: fields.indexOf(name), value: value! }))
    .sort((a, b) => a.index - b.index)
  const lists = present.reduce((mask, { index, value }) => (typeof value === 'number' ? mask : mask | (1 << index)), 0)
  writer.write(present.reduce((mask, { index }) => mask | (1 << index), 0))
  writer.write(lists)
  for (const { value } of present) {
    if (typeof value === 'number') writer.write(value)
    else {
      writer.write(value.length)
      for (const element of value) writer.write(element)
    }
  }
}

export function decodeRecord(bytes: Uint8Array, names: readonly string[]): StoredRecord {
  let at = 0
  const read = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]
      if (byte === undefined || shift > 28) throw new RangeError('expected a whole record, got a part of one')
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1)
    }
  }
  const [present, lists] = [read(), read()]
  const record: Record<string, number | Int32Array> = {}
  for (const [index, name] of names.entries()) {
    if ((present & (1 << index)) === 0) continue
    if ((lists & (1 << index)) === 0) record[name] = read()
    else record[name] = readList(read(), bytes.length, read)
  }
  if (at !== bytes.length) throw new RangeError('expected one record, got more')
  return record
}

function readList(length: number, most: number, read: () => number): Int32Array {
  if (length < 0 || length > most) throw new RangeError(`expected a list of at most ${most}, got ${length}`)
  return Int32Array.from({ length }, read)
}
