import { createHash } from 'node:crypto'
import { type ErrorCode, isFedsvdError } from '@fedsvd/core/errors'
import { decodeFrame, encodeFrame, type Frame, type FrameExpectation } from '@fedsvd/core/protocol'
import type { NamedTensor } from '@fedsvd/core/tensor'
import fc from 'fast-check'

export const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()

const tensors: readonly NamedTensor[] = [
  { name: 'layer.lora_B.weight', shape: [3, 2], data: Float32Array.of(1, -2, 3.5, -0, 1e-20, -1e20) },
  { name: 'scalar', shape: [], data: Float32Array.of(7) },
  { name: 'classifier.bias', shape: [2], data: Float32Array.of(0.1, -0.1) },
]
const frame: Frame = {
  kind: 'update',
  round: 7,
  basis: 6,
  runId: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
  clientId: '9b2c1f0a-0000-4000-8000-00000000000a',
  schemaHash: 'ab'.repeat(32),
  tensors: [...tensors],
}
export const expectation: FrameExpectation = { ...frame, specs: tensors }
export const goodFrame: Uint8Array = encodeFrame(frame, sha256)

const word = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 4, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fc00000, 0x7f800000),
  fc.nat(0xffffffff),
)
const place = fc.nat(goodFrame.length - 1)
type Mutation = (bytes: Uint8Array) => Uint8Array

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(place, fc.nat(255)).map(
    ([at, value]): Mutation =>
      (bytes) =>
        withByte(bytes, at, value),
  ),
  fc.tuple(fc.nat(24), word).map(
    ([index, value]): Mutation =>
      (bytes) =>
        withWord(bytes, 4 * index, value),
  ),
  fc.tuple(fc.nat(10), word).map(
    ([index, value]): Mutation =>
      (bytes) =>
        withWord(bytes, 80 + 4 * index, value),
  ),
  place.map(
    (length): Mutation =>
      (bytes) =>
        bytes.slice(0, length),
  ),
  fc.tuple(place, place).map(
    ([from, to]): Mutation =>
      (bytes) =>
        moved(bytes, from, to),
  ),
  fc.uint8Array({ maxLength: 64 }).map(
    (tail): Mutation =>
      (bytes) =>
        Uint8Array.from([...bytes, ...tail]),
  ),
  fc.uint8Array({ maxLength: 300 }).map(
    (all): Mutation =>
      () =>
        all,
  ),
)

/** A frame that was tampered with, now and then with a checksum that fits, at any alignment. */
export const hostileFrame: fc.Arbitrary<Uint8Array> = fc
  .tuple(fc.array(mutation, { minLength: 1, maxLength: 4 }), fc.boolean(), fc.nat(7))
  .map(([mutations, isRepaired, offset]) => {
    const mutated = mutations.reduce<Uint8Array>((bytes, mutate) => mutate(bytes), goodFrame)
    return misaligned(isRepaired ? repaired(mutated) : mutated, offset)
  })

/**
 * What the decoder makes of it: a code, or `decoded`. Throws for anything else that happens, a wrong result included.
 */
export function fateOf(bytes: Uint8Array): ErrorCode | 'decoded' {
  let decoded: Frame
  try {
    decoded = decodeFrame(bytes, expectation, sha256)
  } catch (error) {
    if (!isFedsvdError(error)) throw error
    if (error.message.length > 600) throw new Error(`a refusal of ${error.message.length} characters`, { cause: error })
    return error.code
  }
  // Whatever is taken is a frame: encoding it gives the same bytes.
  if (Buffer.compare(encodeFrame(decoded, sha256), bytes) === 0) return 'decoded'
  throw new Error(`decoded as another frame: ${Buffer.from(bytes).toString('hex')}`)
}

/** With a checksum that fits. */
export function repaired(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 32) return bytes
  const copy = bytes.slice()
  copy.set(sha256(copy.subarray(0, copy.length - 32)), copy.length - 32)
  return copy
}

export function withWord(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice()
  if (at + 4 <= copy.length) new DataView(copy.buffer).setUint32(at, value, true)
  return copy
}

function withByte(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice()
  copy[at] = value
  return copy
}

function moved(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const copy = bytes.slice()
  copy.copyWithin(to, from, from + 16)
  return copy
}

export function misaligned(bytes: Uint8Array, offset: number): Uint8Array {
  const wide = new Uint8Array(bytes.length + offset)
  wide.set(bytes, offset)
  return wide.subarray(offset)
}
