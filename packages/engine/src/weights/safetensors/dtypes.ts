/**
 * How the elements of one safetensors dtype are read; a dtype that is no float is carried through and never decoded.
 */
export interface DtypeReader {
  readonly bytes: number
  /** Float32 values of consecutive little-endian elements; absent for integers and truth values. */
  decode?(bytes: Uint8Array, elements: number): Float32Array
}

export const DTYPES: Readonly<Record<string, DtypeReader>> = {
  F64: { bytes: 8, decode: (bytes, elements) => Float32Array.from(new Float64Array(aligned(bytes), 0, elements)) },
  F32: { bytes: 4, decode: (bytes, elements) => new Float32Array(aligned(bytes), 0, elements) },
  F16: { bytes: 2, decode: (bytes, elements) => mapWords(bytes, elements, (word) => halfValues()[word]!) },
  BF16: { bytes: 2, decode: upperHalves },
  I64: { bytes: 8 },
  U64: { bytes: 8 },
  I32: { bytes: 4 },
  U32: { bytes: 4 },
  I16: { bytes: 2 },
  U16: { bytes: 2 },
  I8: { bytes: 1 },
  U8: { bytes: 1 },
  BOOL: { bytes: 1 },
}

/** The element types that are read as float32. */
export const FLOAT_DTYPES = Object.keys(DTYPES).filter((dtype) => DTYPES[dtype]!.decode !== undefined)

/** A buffer of its own that starts at the first byte, so that any element size may be laid over it. */
function aligned(bytes: Uint8Array): ArrayBuffer {
  if (bytes.byteOffset === 0 && bytes.buffer instanceof ArrayBuffer) return bytes.buffer
  const copy = new Uint8Array(bytes.length)
  copy.set(bytes)
  return copy.buffer
}

function mapWords(bytes: Uint8Array, elements: number, toNumber: (word: number) => number): Float32Array {
  const words = new Uint16Array(aligned(bytes), 0, elements)
  const data = new Float32Array(elements)
  for (let index = 0; index < elements; index++) data[index] = toNumber(words[index]!)
  return data
}

/** A bfloat16 is the upper half of a float32. */
function upperHalves(bytes: Uint8Array, elements: number): Float32Array {
  const words = new Uint16Array(aligned(bytes), 0, elements)
  const bits = new Uint32Array(elements)
  for (let index = 0; index < elements; index++) bits[index] = words[index]! << 16
  return new Float32Array(bits.buffer)
}

let halves: Float32Array | undefined

/** The value of each of the 65,536 binary16 numbers, made when it is first needed. */
function halfValues(): Float32Array {
  halves ??= Float32Array.from({ length: 2 ** 16 }, (_, word) => halfToNumber(word))
  return halves
}

/** IEEE 754 binary16 to a number. */
function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
