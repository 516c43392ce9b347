/*
 * The container of TensorBoard's event files (TFRecord): for each record its length as 64 bits, a checksum of these,
 * the bytes, and a checksum of them; all little-endian. Checksums are CRC-32C (RFC 3720, appendix B.4), masked.
 */

/** Reversed polynomial of Castagnoli. */
const POLYNOMIAL = 0x82f63b78
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
  return crc
})
const MASK = 0xa282ead8
const LENGTH_BYTES = 8
const CHECKSUM_BYTES = 4

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + MASK) >>> 0
}

export function encodeRecord(data: Uint8Array): Uint8Array {
  const record = Buffer.alloc(LENGTH_BYTES + CHECKSUM_BYTES + data.length + CHECKSUM_BYTES)
  record.writeBigUInt64LE(BigInt(data.length), 0)
  record.writeUInt32LE(masked(record.subarray(0, LENGTH_BYTES)), LENGTH_BYTES)
  record.set(data, LENGTH_BYTES + CHECKSUM_BYTES)
  record.writeUInt32LE(masked(data), record.length - CHECKSUM_BYTES)
  return record
}

/** The records of a file up to the first that is not whole, which a killed process leaves behind. */
export function* decodeRecords(file: Buffer): Generator<Uint8Array> {
  const head = LENGTH_BYTES + CHECKSUM_BYTES
  for (let at = 0; at + head <= file.length; ) {
    if (file.readUInt32LE(at + LENGTH_BYTES) !== masked(file.subarray(at, at + LENGTH_BYTES))) return
    const end = at + head + Number(file.readBigUInt64LE(at))
    if (end + CHECKSUM_BYTES > file.length) return
    const data = file.subarray(at + head, end)
    if (file.readUInt32LE(end) !== masked(data)) return
    yield data
    at = end + CHECKSUM_BYTES
  }
}
