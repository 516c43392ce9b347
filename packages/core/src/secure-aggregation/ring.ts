/**
 * Integers modulo 2^32 or 2^64, as sums are made of. They are kept in signed arrays, which wrap around by themselves
 * and are read as the representative nearest to zero.
 */
export type RingVector = Int32Array | BigInt64Array

export type ModulusBits = 32 | 64

/** so many bytes of a key stream are made at a time: they stay in the processor's cache. */
const PIECE_BYTES = 262_144

const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
/** Where the halves of a 64-bit integer stand in the memory of this machine. */
const [LOW, HIGH] = IS_LITTLE_ENDIAN ? [0, 1] : [1, 0]

/** Zeros. */
export function ringZeros(dimension: number, modulusBits: ModulusBits): RingVector {
  return modulusBits === 32 ? new Int32Array(dimension) : new BigInt64Array(dimension)
}

/**
 * Integers as elements of the ring. What does not fit wraps around.
 *
 * @param values integers, exactly represented (magnitudes below 2^53)
 */
export function ringVectorOf(values: Float64Array, modulusBits: ModulusBits): RingVector {
  // A typed array of 32 bits takes the value modulo 2^32, whatever its size.
  if (modulusBits === 32) return new Int32Array(values)
  const vector = new BigInt64Array(values.length)
  const halves = new Int32Array(vector.buffer)
  for (let i = 0; i < values.length; i++) {
    halves[2 * i + LOW] = values[i]!
    halves[2 * i + HIGH] = Math.floor(values[i]! / 2 ** 32)
  }
  return vector
}

/**
 * The representatives nearest to zero. Above 2^53 the nearest double: that far comes only what no honest site sends.
 */
export function integersOf(vector: RingVector): Float64Array {
  if (vector instanceof Int32Array) return new Float64Array(vector)
  const values = new Float64Array(vector.length)
  const halves = new Int32Array(vector.buffer, vector.byteOffset, 2 * vector.length)
  for (let i = 0; i < values.length; i++) values[i] = halves[2 * i + HIGH]! * 2 ** 32 + (halves[2 * i + LOW]! >>> 0)
  return values
}

/** Adds one vector to another of the same length and ring, or takes it away. */
export function addVector(sum: RingVector, other: RingVector, sign: 1 | -1): void {
  if (sum instanceof Int32Array) addInt32(sum, other as Int32Array, sign)
  else addInt64(sum, other as BigInt64Array, sign)
}

/** Adds the mask that a key stream makes to every element, or takes it away; its bytes are read as little-endian. */
export function addMask(vector: RingVector, stream: (length: number) => Uint8Array, sign: 1 | -1): void {
  const width = vector.BYTES_PER_ELEMENT
  const piece = PIECE_BYTES / width
  for (let start = 0; start < vector.length; start += piece) {
    const part = vector.subarray(start, start + piece)
    addVector(part, vectorFrom(stream(part.byteLength), width === 4 ? 32 : 64), sign)
  }
}

function addInt32(sum: Int32Array, other: Int32Array, sign: 1 | -1): void {
  if (sign === 1) for (let i = 0; i < sum.length; i++) sum[i] = (sum[i]! + other[i]!) | 0
  else for (let i = 0; i < sum.length; i++) sum[i] = (sum[i]! - other[i]!) | 0
}

function addInt64(sum: BigInt64Array, other: BigInt64Array, sign: 1 | -1): void {
  if (sign === 1) for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + other[i]!
  else for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! - other[i]!
}

/** The elements as little-endian bytes, as a masked update travels. */
export function ringBytes(vector: RingVector): Uint8Array {
  return inOrder(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength), vector.BYTES_PER_ELEMENT)
}

/** The elements of {@link ringBytes}; on the same memory where the machine can read it there. */
export function vectorFrom(bytes: Uint8Array, modulusBits: ModulusBits): RingVector {
  const width = modulusBits / 8
  const ordered = inOrder(bytes, width)
  const own = ordered.byteOffset % width === 0 ? ordered : ordered.slice()
  const length = own.byteLength / width
  return modulusBits === 32
    ? new Int32Array(own.buffer, own.byteOffset, length)
    : new BigInt64Array(own.buffer, own.byteOffset, length)
}

/** The same bytes on a little-endian machine; elsewhere those of each element in the other order. */
function inOrder(bytes: Uint8Array, width: number): Uint8Array {
  if (IS_LITTLE_ENDIAN) return bytes
  const swapped = bytes.slice()
  for (let offset = 0; offset < swapped.length; offset += width) swapped.subarray(offset, offset + width).reverse()
  return swapped
}
