import { FedsvdError } from '../errors.ts'
import { flatNorm, type NamedTensor, sizeOf, type TensorSpec } from '../tensor/index.ts'
import { PROTOCOL_VERSION } from './version.ts'

/**
 * The binary frame in which tensors travel: one frame is one update, or one published adapter state.
 *
 * All integers are little-endian. Tensor names do not travel: both sides know them from the adapter schema, whose hash
 * does.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 4 | magic `FSVD` |
 * | 4 | 2 | protocol version |
 * | 6 | 1 | kind: 1 update, 2 state |
 * | 7 | 1 | dtype: 1 float32 |
 * | 8 | 4 | round (of an update) or basis (of a state) |
 * | 12 | 4 | basis |
 * | 16 | 16 | run identifier (UUID bytes) |
 * | 32 | 16 | client identifier (UUID bytes; zero in a state) |
 * | 48 | 32 | SHA-256 of the canonical adapter schema |
 * | 80 | 4 | number of tensors |
 * | 84 | ... | per tensor: rank (4), then one dimension (4) each |
 * | ... | ... | payload: float32 values, tensor after tensor, row-major |
 * | end - 32 | 32 | SHA-256 of everything before it |
 */
export interface FrameHeader {
  readonly kind: 'update' | 'state'
  readonly round: number
  readonly basis: number
  readonly runId: string
  readonly clientId: string
  /** Hex SHA-256 of `canonicalSchema(schema)`. */
  readonly schemaHash: string
}

export interface Frame extends FrameHeader {
  readonly tensors: readonly NamedTensor[]
}

/** SHA-256 of some bytes; handed in, so that this package stays free of any platform. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array

export const NO_CLIENT = '00000000-0000-0000-0000-000000000000'

const MAGIC = 0x44565346 // 'FSVD' read as a little-endian uint32
const FIXED_HEADER_BYTES = 84
const DIGEST_BYTES = 32
const KINDS = ['update', 'state'] as const
const DTYPE_FLOAT32 = 1

/** Exact size in bytes of a frame that carries these tensors. */
export function frameBytes(specs: readonly TensorSpec[]): number {
  const shapes = specs.reduce((bytes, { shape }) => bytes + 4 + 4 * shape.length, 0)
  const floats = specs.reduce((count, { shape }) => count + sizeOf(shape), 0)
  return FIXED_HEADER_BYTES + shapes + 4 * floats + DIGEST_BYTES
}

/** Encodes a frame. The result is a pure function of its content, so a retry sends the same bytes. */
export function encodeFrame(frame: Frame, sha256: Sha256): Uint8Array {
  const bytes = new Uint8Array(frameBytes(frame.tensors))
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC, true)
  view.setUint16(4, PROTOCOL_VERSION, true)
  view.setUint8(6, KINDS.indexOf(frame.kind) + 1)
  view.setUint8(7, DTYPE_FLOAT32)
  view.setUint32(8, frame.round, true)
  view.setUint32(12, frame.basis, true)
  bytes.set(uuidBytes(frame.runId), 16)
  bytes.set(uuidBytes(frame.clientId), 32)
  bytes.set(hexBytes(frame.schemaHash), 48)
  view.setUint32(80, frame.tensors.length, true)
  let offset = FIXED_HEADER_BYTES
  for (const { shape } of frame.tensors) {
    for (const word of [shape.length, ...shape]) {
      view.setUint32(offset, word, true)
      offset += 4
    }
  }
  for (const { data } of frame.tensors) {
    bytes.set(littleEndian(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)), offset)
    offset += data.byteLength
  }
  bytes.set(sha256(bytes.subarray(0, offset)), offset)
  return bytes
}

/** What a receiver knows in advance; anything else in a frame is refused. */
export interface FrameExpectation extends FrameHeader {
  readonly specs: readonly TensorSpec[]
}

/**
 * Decodes a frame that must be exactly the expected one.
 *
 * Sizes are checked before anything is allocated, then the checksum, then identity, then shapes, then finiteness.
 * Allocates at most the size of the expected tensors, whatever the bytes say. The result does not alias `bytes`.
 *
 * @throws FedsvdError FRAME_TOO_LARGE, FRAME_MALFORMED, PROTOCOL_VERSION, FRAME_CHECKSUM, UPDATE_STALE, SHAPE_MISMATCH,
 *   NOT_FINITE
 */
export function decodeFrame(bytes: Uint8Array, expectation: FrameExpectation, sha256: Sha256): Frame {
  const { tensors, ...header } = viewFrame(bytes, expectation, sha256)
  const own = ({ name, shape, data }: NamedTensor): NamedTensor => {
    return { name, shape, data: data.buffer === bytes.buffer ? data.slice() : data }
  }
  return { ...header, tensors: tensors.map(own) }
}

/**
 * As {@link decodeFrame}, without a copy: the tensors are the bytes themselves, for whoever only reads them, wherever
 * the order and the alignment of the bytes allow it. `sha256` is left out for bytes that were decoded with it before
 * they were stored under their hash: neither their checksum nor their values are looked at again.
 *
 * @throws FedsvdError as `decodeFrame` does
 */
export function viewFrame(bytes: Uint8Array, expectation: FrameExpectation, sha256?: Sha256): Frame {
  const expectedBytes = frameBytes(expectation.specs)
  if (bytes.length > expectedBytes) throw wrongSize('FRAME_TOO_LARGE', expectedBytes, bytes.length)
  if (bytes.length < FIXED_HEADER_BYTES + DIGEST_BYTES) throw wrongSize('FRAME_MALFORMED', expectedBytes, bytes.length)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(0, true) !== MAGIC) {
    throw malformed('the magic bytes FSVD', `0x${hex(bytes.subarray(0, 4))}`)
  }
  const version = view.getUint16(4, true)
  if (version !== PROTOCOL_VERSION) {
    throw new FedsvdError('PROTOCOL_VERSION', {
      expected: `a frame of protocol version ${PROTOCOL_VERSION}`,
      got: `version ${version}`,
      remedy: 'Run the same release of fedsvd on both sides.',
    })
  }
  if (bytes.length < expectedBytes) throw wrongSize('FRAME_MALFORMED', expectedBytes, bytes.length)
  const end = bytes.length - DIGEST_BYTES
  if (sha256 !== undefined && !equalBytes(sha256(bytes.subarray(0, end)), bytes.subarray(end))) {
    throw new FedsvdError('FRAME_CHECKSUM', {
      expected: `SHA-256 ${hex(bytes.subarray(end, end + 4))}... over the frame`,
      got: `SHA-256 ${hex(sha256(bytes.subarray(0, end)).subarray(0, 4))}...`,
      remedy: 'Send the same bytes again.',
    })
  }
  const header = readHeader(bytes, view)
  checkIdentity(header, expectation)
  const payload = checkShapes(view, expectation.specs)
  const tensors = tensorsAt(bytes, payload, expectation.specs)
  if (sha256 !== undefined) tensors.forEach(checkFinite)
  return { ...header, tensors }
}

/**
 * The basis that a frame names, before it is decoded. @throws FedsvdError FRAME_MALFORMED when it is too short to name
 * one
 */
export function readFrameBasis(bytes: Uint8Array): number {
  if (bytes.length < FIXED_HEADER_BYTES) throw wrongSize('FRAME_MALFORMED', FIXED_HEADER_BYTES, bytes.length)
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(12, true)
}

/** Reads only the header; for logs and for telling a stale frame from a foreign one. */
function readHeader(bytes: Uint8Array, view: DataView): FrameHeader {
  const kind = KINDS[view.getUint8(6) - 1]
  if (kind === undefined) throw malformed('kind 1 (update) or 2 (state)', `kind ${view.getUint8(6)}`)
  if (view.getUint8(7) !== DTYPE_FLOAT32) throw malformed('dtype 1 (float32)', `dtype ${view.getUint8(7)}`)
  return {
    kind,
    round: view.getUint32(8, true),
    basis: view.getUint32(12, true),
    runId: uuidText(bytes.subarray(16, 32)),
    clientId: uuidText(bytes.subarray(32, 48)),
    schemaHash: hex(bytes.subarray(48, 80)),
  }
}

function checkIdentity(header: FrameHeader, expected: FrameHeader): void {
  for (const field of ['kind', 'runId', 'clientId', 'schemaHash'] as const) {
    if (header[field] !== expected[field]) throw malformed(`${field} ${expected[field]}`, String(header[field]))
  }
  for (const field of ['round', 'basis'] as const) {
    if (header[field] !== expected[field]) {
      throw new FedsvdError('UPDATE_STALE', {
        expected: `${field} ${expected[field]}`,
        got: `${field} ${header[field]}`,
        remedy: 'Discard it and wait for the next invitation.',
      })
    }
  }
}

function checkShapes(view: DataView, specs: readonly TensorSpec[]): number {
  const count = view.getUint32(80, true)
  if (count !== specs.length) throw shapeMismatch(`${specs.length} tensors`, `${count}`)
  let offset = FIXED_HEADER_BYTES
  for (const { name, shape } of specs) {
    const words = [shape.length, ...shape]
    for (const [index, word] of words.entries()) {
      const got = view.getUint32(offset + 4 * index, true)
      if (got !== word)
        throw shapeMismatch(
          `${name} of shape [${shape.join(', ')}]`,
          `${index === 0 ? 'rank' : 'a dimension of'} ${got}`,
        )
    }
    offset += 4 * words.length
  }
  return offset
}

function tensorsAt(bytes: Uint8Array, payload: number, specs: readonly TensorSpec[]): NamedTensor[] {
  let offset = payload
  return specs.map(({ name, shape }) => {
    const data = floatsAt(bytes, offset, sizeOf(shape))
    offset += data.byteLength
    return { name, shape, data }
  })
}

/** The values at a place of the bytes: those bytes where this machine can read them there, else a copy of them. */
function floatsAt(bytes: Uint8Array, offset: number, length: number): Float32Array {
  const start = bytes.byteOffset + offset
  if (IS_LITTLE_ENDIAN && start % 4 === 0) return new Float32Array(bytes.buffer, start, length)
  const data = new Float32Array(length)
  new Uint8Array(data.buffer).set(littleEndian(bytes.subarray(offset, offset + data.byteLength)))
  return data
}

/**
 * The norm is finite exactly where all values are: the squares of float32 values, however many, do not overflow a
 * double.
 */
function checkFinite(tensor: NamedTensor): void {
  if (Number.isFinite(flatNorm([tensor]))) return
  const { name, data } = tensor
  const index = data.findIndex((value) => !Number.isFinite(value))
  throw new FedsvdError('NOT_FINITE', {
    expected: `finite values in ${name}`,
    got: `${data[index]} at element ${index}`,
    remedy: 'Lower the learning rate of the run, or look at the data of this client.',
  })
}

const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** The bytes of float32 values, from or to the order of this machine; the same bytes where that is little-endian. */
function littleEndian(bytes: Uint8Array): Uint8Array {
  if (IS_LITTLE_ENDIAN) return bytes
  const swapped = bytes.slice()
  for (let offset = 0; offset < swapped.length; offset += 4) swapped.subarray(offset, offset + 4).reverse()
  return swapped
}

function malformed(expected: string, got: string): FedsvdError {
  return new FedsvdError('FRAME_MALFORMED', {
    expected,
    got,
    remedy: 'Send a frame as described in the protocol reference.',
  })
}

function shapeMismatch(expected: string, got: string): FedsvdError {
  return new FedsvdError('SHAPE_MISMATCH', { expected, got, remedy: 'Use the adapter schema of the run.' })
}

function wrongSize(code: 'FRAME_TOO_LARGE' | 'FRAME_MALFORMED', expected: number, got: number): FedsvdError {
  return new FedsvdError(code, {
    expected: `a frame of ${expected} bytes`,
    got: `${got} bytes`,
    remedy: 'Send exactly the tensors of the adapter schema of the run.',
  })
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index])
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function hexBytes(text: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(text)) throw malformed('a SHA-256 in lower-case hex', text)
  return Uint8Array.from({ length: 32 }, (_, index) => Number.parseInt(text.slice(2 * index, 2 * index + 2), 16))
}

function uuidBytes(uuid: string): Uint8Array {
  const digits = uuid.replaceAll('-', '').toLowerCase()
  if (!/^[0-9a-f]{32}$/.test(digits)) throw malformed('a UUID', uuid)
  return Uint8Array.from({ length: 16 }, (_, index) => Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16))
}

function uuidText(bytes: Uint8Array): string {
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
