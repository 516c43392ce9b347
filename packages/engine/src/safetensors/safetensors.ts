import { FedsvdError } from '@fedsvd/core/errors'
import { type NamedTensor, sizeOf } from '@fedsvd/core/tensor'

/*
 * The safetensors format: an 8-byte little-endian length, a JSON header of that length, then the tensors' bytes.
 * https://huggingface.co/docs/safetensors: the header names dtype, shape and byte range of every tensor.
 */
const LENGTH_BYTES = 8
const MAX_HEADER_BYTES = 100_000_000
const ALIGNMENT = 8
const METADATA = '__metadata__'

interface Entry {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data_offsets: readonly [number, number]
}

/** Encodes float32 tensors with a text-to-text metadata block; a pure function of its input. */
export function encodeSafetensors(
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = { [METADATA]: { format: 'pt', ...metadata } }
  let offset = 0
  for (const { name, shape, data } of tensors) {
    if (name in header) throw invalid('each tensor name once', `${name} twice`)
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] }
    offset += data.byteLength
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  const headerBytes = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT
  const bytes = new Uint8Array(LENGTH_BYTES + headerBytes + offset).fill(0x20, LENGTH_BYTES, LENGTH_BYTES + headerBytes)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, BigInt(headerBytes), true)
  bytes.set(json, LENGTH_BYTES)
  let position = LENGTH_BYTES + headerBytes
  for (const { data } of tensors) {
    for (const value of data) {
      view.setFloat32(position, value, true)
      position += 4
    }
  }
  return bytes
}

/**
 * Decodes a safetensors file of f32, f16 or bf16 tensors to float32.
 *
 * @throws FedsvdError CHECKPOINT_INVALID when the header, a range or a dtype is not what the format allows
 */
export function decodeSafetensors(bytes: Uint8Array): { tensors: NamedTensor[]; metadata: Record<string, string> } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < LENGTH_BYTES) throw invalid('a header length of 8 bytes', `${bytes.length} bytes`)
  const headerBytes = Number(view.getBigUint64(0, true))
  const start = LENGTH_BYTES + headerBytes
  if (headerBytes > MAX_HEADER_BYTES || start > bytes.length) {
    throw invalid(`a header of at most ${bytes.length - LENGTH_BYTES} bytes`, `${headerBytes} bytes`)
  }
  const { [METADATA]: metadata, ...entries } = parseHeader(bytes.subarray(LENGTH_BYTES, start))
  const tensors = Object.entries(entries).map(([name, entry]) => {
    const { dtype, shape, data_offsets } = entry as Entry
    const read = READERS[dtype]
    if (read === undefined) throw invalid(`${name} as one of ${Object.keys(READERS).join(', ')}`, dtype)
    const [from, to] = [start + data_offsets[0], start + data_offsets[1]]
    const size = sizeOf(shape)
    if (from < start || to > bytes.length || to - from !== size * read.bytes) {
      throw invalid(`${size * read.bytes} bytes for ${name}`, `the range ${data_offsets.join(' to ')}`)
    }
    return {
      name,
      shape,
      data: Float32Array.from({ length: size }, (_, index) => read.at(view, from + index * read.bytes)),
    }
  })
  return { tensors, metadata: (metadata ?? {}) as Record<string, string> }
}

const bits = new DataView(new ArrayBuffer(4))
function fromBits(value: number): number {
  bits.setUint32(0, value >>> 0)
  return bits.getFloat32(0)
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

const READERS: Readonly<Record<string, { bytes: number; at(view: DataView, offset: number): number }>> = {
  F32: { bytes: 4, at: (view, offset) => view.getFloat32(offset, true) },
  F16: { bytes: 2, at: (view, offset) => halfToNumber(view.getUint16(offset, true)) },
  BF16: { bytes: 2, at: (view, offset) => fromBits(view.getUint16(offset, true) << 16) },
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Record<string, unknown>
  } catch (cause) {
    throw invalid('a JSON header', 'text that is no JSON', cause)
  }
}

function invalid(expected: string, got: string, cause?: unknown): FedsvdError {
  return new FedsvdError(
    'CHECKPOINT_INVALID',
    { expected, got, remedy: 'Check that the safetensors file is complete.' },
    { cause },
  )
}
