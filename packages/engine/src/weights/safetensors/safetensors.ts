import type { NamedTensor } from '@fedsvd/core/tensor'
import { sizeOf } from '@fedsvd/core/tensor'
import { DTYPES } from './dtypes.ts'
import { encodeHeader, headerLength, LENGTH_BYTES, parseHeader, type SafetensorsEntry } from './header.ts'

/** Encodes float32 tensors with a text-to-text metadata block; a pure function of its input. */
export function encodeSafetensors(
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header = encodeHeader(tensors, metadata)
  const payload = tensors.reduce((bytes, { data }) => bytes + data.byteLength, 0)
  const bytes = new Uint8Array(header.length + payload)
  bytes.set(header)
  let position = header.length
  for (const { data } of tensors) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position)
    position += data.byteLength
  }
  return bytes
}

/**
 * Decodes the f32, f16 and bf16 tensors of a safetensors file to float32; integers, such as the position ids of older
 * BERT files, are passed over.
 *
 * @throws FedsvdError CHECKPOINT_INVALID when the header, a range or a dtype is not what the format allows
 */
export function decodeSafetensors(bytes: Uint8Array): {
  tensors: NamedTensor[]
  metadata: Readonly<Record<string, string>>
} {
  const length = headerLength(bytes, bytes.length)
  const { entries, metadata } = parseHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), bytes.length)
  const tensors = entries.filter(isFloat).map((entry) => {
    // a copy: the tensor owns its elements, and they are aligned
    return decodeTensor(entry, new Uint8Array(bytes.subarray(entry.start, entry.start + entry.bytes)))
  })
  return { tensors, metadata }
}

/** Whether a tensor has values that can be read as float32. */
export function isFloat({ dtype }: SafetensorsEntry): boolean {
  return DTYPES[dtype]?.decode !== undefined
}

/** The float32 tensor of an entry from its own bytes, which it may take over. */
export function decodeTensor({ name, dtype, shape }: SafetensorsEntry, bytes: Uint8Array): NamedTensor {
  return { name, shape, data: DTYPES[dtype]!.decode!(bytes, sizeOf(shape)) }
}
