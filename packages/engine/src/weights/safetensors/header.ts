import { FedsvdError } from '@fedsvd/core/errors'
import { sizeOf, type TensorSpec } from '@fedsvd/core/tensor'
import { type ForeignFile, foreignFile, repeatedKey } from '../../files/index.ts'
import { DTYPES } from './dtypes.ts'

/*
 * The safetensors format: an 8-byte little-endian length, a JSON header of that length, then the tensors' bytes.
 * https://huggingface.co/docs/safetensors: the header names dtype, shape and byte range of every tensor.
 */
export const LENGTH_BYTES = 8
const MAX_HEADER_BYTES = 100_000_000
const ALIGNMENT = 8
const METADATA = '__metadata__'

/** One tensor of a file: its element type, and where its bytes lie, counted from the beginning of the file. */
export interface SafetensorsEntry extends TensorSpec {
  readonly dtype: string
  readonly start: number
  readonly bytes: number
}

export interface SafetensorsHeader {
  readonly entries: readonly SafetensorsEntry[]
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * The length of the JSON header of a file of `fileBytes`, from its first bytes: 8, and more to say what else a file is.
 *
 * @throws FedsvdError CHECKPOINT_INVALID
 */
export function headerLength(first: Uint8Array, fileBytes: number): number {
  const foreign = foreignFile(first)
  if (foreign !== undefined) throw notSafetensors(foreign)
  if (first.length < LENGTH_BYTES) throw invalid('a header length of 8 bytes', `${first.length} bytes`)
  const view = new DataView(first.buffer, first.byteOffset, first.byteLength)
  const length = Number(view.getBigUint64(0, true))
  if (length > MAX_HEADER_BYTES || LENGTH_BYTES + length > fileBytes) {
    const most = Math.min(MAX_HEADER_BYTES, fileBytes - LENGTH_BYTES)
    throw invalid(`a header of at most ${most} bytes`, `${length} bytes`)
  }
  return length
}

/**
 * Reads the JSON header of a file of `fileBytes`: each tensor is named once and has the bytes of its size, and the
 * ranges fill the file without an overlap or a gap, as the format asks.
 *
 * @throws FedsvdError CHECKPOINT_INVALID
 */
export function parseHeader(json: Uint8Array, fileBytes: number): SafetensorsHeader {
  const { [METADATA]: metadata, ...tensors } = jsonObject(json)
  const payload = LENGTH_BYTES + json.length
  if (typeof (metadata ?? {}) !== 'object') throw invalid(`an object as ${METADATA}`, typeof metadata)
  const entries = Object.entries(tensors).map(([name, entry]) => entryOf(name, entry, payload, fileBytes))
  checkRanges(entries, payload, fileBytes)
  return { entries, metadata: (metadata ?? {}) as Record<string, string> }
}

function entryOf(name: string, value: unknown, payload: number, fileBytes: number): SafetensorsEntry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>
  if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2) {
    throw invalid(`a shape and a range for ${name}`, JSON.stringify(value).slice(0, 200))
  }
  const reader = typeof dtype === 'string' && Object.hasOwn(DTYPES, dtype) ? DTYPES[dtype] : undefined
  if (reader === undefined) throw unknownDtype(name, String(dtype))
  const [from, to] = offsets as [number, number]
  const bytes = sizeOf(shape) * reader.bytes
  if (payload + to > fileBytes || to - from !== bytes) {
    throw invalid(`${bytes} bytes for ${name}`, `the range ${from} to ${to}`)
  }
  return { name, dtype: dtype as string, shape, start: payload + from, bytes }
}

function checkRanges(entries: readonly SafetensorsEntry[], payload: number, fileBytes: number): void {
  let end = payload
  for (const { name, start, bytes } of entries.toSorted((a, b) => a.start - b.start || a.bytes - b.bytes)) {
    if (start < end) throw invalid(`bytes of ${name} that no other tensor has`, `an overlap of ${end - start} bytes`)
    if (start > end)
      throw invalid(`the bytes of ${name} behind those of another tensor`, `a gap of ${start - end} bytes`)
    end = start + bytes
  }
  if (end !== fileBytes) throw invalid(`a file of ${end} bytes, as its header says`, `${fileBytes} bytes`)
}

/** The first bytes of a file of float32 tensors: length and header, padded so that the tensors are aligned. */
export function encodeHeader(specs: readonly TensorSpec[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const header: Record<string, unknown> = { [METADATA]: { format: 'pt', ...metadata } }
  let offset = 0
  for (const { name, shape } of specs) {
    if (name in header) throw invalid('each tensor name once', `${name} twice`)
    const end = offset + 4 * sizeOf(shape)
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, end] }
    offset = end
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  const length = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT
  const bytes = new Uint8Array(LENGTH_BYTES + length).fill(0x20, LENGTH_BYTES)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true)
  bytes.set(json, LENGTH_BYTES)
  return bytes
}

export function invalid(expected: string, got: string, cause?: unknown): FedsvdError {
  return new FedsvdError(
    'CHECKPOINT_INVALID',
    { expected, got, remedy: 'Check that the safetensors file is complete.' },
    { cause },
  )
}

function unknownDtype(name: string, dtype: string): FedsvdError {
  return new FedsvdError('CHECKPOINT_INVALID', {
    expected: `${name} as one of ${Object.keys(DTYPES).join(', ')}`,
    got: dtype.slice(0, 100),
    remedy: 'Save the checkpoint in float32, float16 or bfloat16.',
  })
}

function notSafetensors({ what, remedy }: ForeignFile): FedsvdError {
  return new FedsvdError('CHECKPOINT_INVALID', { expected: 'a safetensors file', got: what, remedy })
}

function isCounts(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && count >= 0)
}

function jsonObject(bytes: Uint8Array): Record<string, unknown> {
  let json: string
  let value: unknown
  try {
    json = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    value = JSON.parse(json)
  } catch (cause) {
    throw invalid('a JSON header', 'text that is no JSON', cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('a JSON object as header', json.slice(0, 100))
  }
  const repeated = repeatedKey(json)
  if (repeated !== undefined) throw invalid('each tensor and each member once in the header', `"${repeated}" twice`)
  return value as Record<string, unknown>
}
