import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isFedsvdError } from '../errors.ts'
import type { NamedTensor } from '../tensor/index.ts'
import { decodeFrame, encodeFrame, type Frame, frameBytes, viewFrame } from './frame.ts'

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()
const tensors: NamedTensor[] = [
  { name: 'layer.lora_B.weight', shape: [3, 2], data: Float32Array.of(1, -2, 3.5, 0, 1e-20, -1e20) },
  { name: 'classifier.bias', shape: [2], data: Float32Array.of(0.1, -0.1) },
]
const frame: Frame = {
  kind: 'update',
  round: 7,
  basis: 6,
  runId: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
  clientId: '9b2c1f0a-0000-4000-8000-00000000000a',
  schemaHash: 'ab'.repeat(32),
  tensors,
}
const expectation = { ...frame, specs: tensors }
const bytes = encodeFrame(frame, sha256)

/** The same frame with some bytes replaced and a checksum that fits. */
function forged(change: (view: DataView) => void): Uint8Array {
  const copy = bytes.slice()
  change(new DataView(copy.buffer))
  copy.set(sha256(copy.subarray(0, copy.length - 32)), copy.length - 32)
  return copy
}
const codeOf = (attempt: () => unknown): string => {
  try {
    attempt()
  } catch (error) {
    if (isFedsvdError(error)) return error.code
    throw error
  }
  return 'no error'
}
const decode = (input: Uint8Array) => decodeFrame(input, expectation, sha256)

describe('the binary frame', () => {
  it('comes back as it was, and the same content gives the same bytes', () => {
    expect(decode(bytes)).toEqual(frame)
    expect(encodeFrame(frame, sha256)).toEqual(bytes)
    // 84 header + (4 + 8) + (4 + 4) shapes + 8 floats + 32 digest
    expect(frameBytes(tensors)).toBe(84 + 12 + 8 + 32 + 32)
  })

  it('is read from a misaligned buffer, and the result does not alias it', () => {
    const misaligned = new Uint8Array(bytes.length + 1).subarray(1)
    misaligned.set(bytes)
    const decoded = decode(misaligned)
    misaligned.fill(0)
    expect(decoded).toEqual(frame)
  })

  it('is viewed without a copy where it is aligned, and copied where it is not', () => {
    const aligned = bytes.slice()
    const misaligned = new Uint8Array(bytes.length + 1).subarray(1)
    misaligned.set(bytes)
    const [shared, copied] = [aligned, misaligned].map((input) => viewFrame(input, expectation, sha256))
    expect([shared, copied]).toEqual([frame, frame])
    const own = decodeFrame(aligned, expectation, sha256)
    aligned.fill(0, 104, 112)
    misaligned.fill(0, 104, 112)
    expect(shared!.tensors[0]!.data.slice(0, 2)).toEqual(Float32Array.of(0, 0))
    expect([copied, own]).toEqual([frame, frame])
  })

  it('is held against what is expected, and its content is trusted where it was checked before', () => {
    const damaged = bytes.slice()
    damaged[bytes.length - 1]! ^= 1
    expect(codeOf(() => viewFrame(damaged, expectation, sha256))).toBe('FRAME_CHECKSUM')
    expect(viewFrame(damaged, expectation)).toEqual(frame)
    const infinite = bytes.slice()
    new DataView(infinite.buffer).setFloat32(104, Number.POSITIVE_INFINITY, true)
    infinite.set(sha256(infinite.subarray(0, -32)), infinite.length - 32)
    expect(codeOf(() => viewFrame(infinite, expectation, sha256))).toBe('NOT_FINITE')
    expect(viewFrame(infinite, expectation).tensors[0]!.data[0]).toBe(Number.POSITIVE_INFINITY)
    expect(codeOf(() => viewFrame(bytes, { ...expectation, round: 8 }))).toBe('UPDATE_STALE')
  })

  it.each<[string, string, Uint8Array]>([
    ['five bytes', 'FRAME_MALFORMED', Uint8Array.of(1, 2, 3, 4, 5)],
    ['nothing', 'FRAME_MALFORMED', new Uint8Array()],
    ['a truncated frame', 'FRAME_MALFORMED', bytes.subarray(0, bytes.length - 4)],
    ['a longer frame', 'FRAME_TOO_LARGE', new Uint8Array(bytes.length + 1)],
    ['another magic', 'FRAME_MALFORMED', forged((view) => view.setUint32(0, 1))],
    ['a later version', 'PROTOCOL_VERSION', forged((view) => view.setUint16(4, 99, true))],
    ['another kind', 'FRAME_MALFORMED', forged((view) => view.setUint8(6, 2))],
    ['an unknown kind', 'FRAME_MALFORMED', forged((view) => view.setUint8(6, 9))],
    ['another dtype', 'FRAME_MALFORMED', forged((view) => view.setUint8(7, 2))],
    ['an older round', 'UPDATE_STALE', forged((view) => view.setUint32(8, 6, true))],
    ['another basis', 'UPDATE_STALE', forged((view) => view.setUint32(12, 5, true))],
    ['a foreign run', 'FRAME_MALFORMED', forged((view) => view.setUint8(16, 1))],
    ['a foreign client', 'FRAME_MALFORMED', forged((view) => view.setUint8(32, 1))],
    ['another adapter schema', 'FRAME_MALFORMED', forged((view) => view.setUint8(48, 1))],
    ['another number of tensors', 'SHAPE_MISMATCH', forged((view) => view.setUint32(80, 3, true))],
    [
      'a transposed tensor',
      'SHAPE_MISMATCH',
      forged((view) => {
        view.setUint32(88, 2, true)
        view.setUint32(92, 3, true)
      }),
    ],
    ['a huge dimension', 'SHAPE_MISMATCH', forged((view) => view.setUint32(88, 0xffffffff, true))],
    ['NaN', 'NOT_FINITE', forged((view) => view.setFloat32(104, Number.NaN, true))],
    ['infinity', 'NOT_FINITE', forged((view) => view.setFloat32(108, Number.POSITIVE_INFINITY, true))],
    ['a flipped bit', 'FRAME_CHECKSUM', bytes.map((byte, index) => (index === 110 ? byte ^ 1 : byte))],
  ])('refuses %s with %s', (_, code, input) => {
    expect(codeOf(() => decode(input))).toBe(code)
  })

  it('answers any bytes with a result or a catalogue error, never with anything else', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.boolean(),
        fc.nat(bytes.length),
        (changes, repair, length) => {
          const mutated = forged((view) => {
            for (const [at, value] of changes) view.setUint8(at, value)
          })
          const input = repair ? mutated : mutated.subarray(0, length)
          expect(codeOf(() => decode(input))).toMatch(/^(no error|[A-Z_]+)$/)
        },
      ),
      { numRuns: 3000 },
    )
  })

  it('refuses identifiers that are none when it encodes', () => {
    expect(codeOf(() => encodeFrame({ ...frame, runId: 'run-1' }, sha256))).toBe('FRAME_MALFORMED')
    expect(codeOf(() => encodeFrame({ ...frame, schemaHash: 'AB' }, sha256))).toBe('FRAME_MALFORMED')
  })
})
