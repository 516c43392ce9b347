import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSafetensors, writeSafetensors } from './file.ts'
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts'

const tensors = [
  { name: 'b', shape: [2, 2], data: Float32Array.of(1, -2, 0.5, 1e-30) },
  { name: 'scalar', shape: [], data: Float32Array.of(7) },
]

/** A file with one tensor of a dtype whose bytes are given. */
function fileOf(dtype: string, shape: number[], payload: number[], offsets = [0, payload.length]): Uint8Array {
  const header = new TextEncoder().encode(JSON.stringify({ x: { dtype, shape, data_offsets: offsets } }))
  const bytes = new Uint8Array(8 + header.length + payload.length)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true)
  bytes.set(header, 8)
  bytes.set(payload, 8 + header.length)
  return bytes
}

describe('safetensors', () => {
  it('comes back as it was, from an aligned header', () => {
    const bytes = encodeSafetensors(tensors, { run: 'one' })
    expect(Number(new DataView(bytes.buffer).getBigUint64(0, true)) % 8).toBe(0)
    expect(decodeSafetensors(bytes)).toEqual({ tensors, metadata: { format: 'pt', run: 'one' } })
  })

  it('reads float16 and bfloat16', () => {
    // float16: 1.0 = 3c00, -2.5 = c100, smallest subnormal = 0001, infinity = 7c00
    const half = decodeSafetensors(fileOf('F16', [4], [0, 0x3c, 0, 0xc1, 1, 0, 0, 0x7c])).tensors[0]!
    expect(Array.from(half.data)).toEqual([1, -2.5, 2 ** -24, Number.POSITIVE_INFINITY])
    // bfloat16: 1.0 = 3f80, -3.0 = c040
    expect(Array.from(decodeSafetensors(fileOf('BF16', [2], [0x80, 0x3f, 0x40, 0xc0])).tensors[0]!.data)).toEqual([
      1, -3,
    ])
  })

  it('reads float64, rounded to float32', () => {
    const payload = [...new Uint8Array(Float64Array.of(1, 0.1, -1e300).buffer)]
    const [tensor] = decodeSafetensors(fileOf('F64', [3], payload)).tensors
    expect([...tensor!.data]).toEqual([1, Math.fround(0.1), Number.NEGATIVE_INFINITY])
  })

  const hugeHeader = new Uint8Array(100_000_100)
  new DataView(hugeHeader.buffer).setBigUint64(0, 100_000_001n, true)
  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(), /expected a header length of 8 bytes, got 0 bytes/],
    ['a truncated header', encodeSafetensors(tensors).subarray(0, 20), /expected a header of at most 12 bytes/],
    ['a truncated payload', encodeSafetensors(tensors).slice(0, -1), /expected 4 bytes for scalar/],
    ['a range outside', fileOf('F32', [1], [0, 0, 0, 0], [4, 8]), /expected 4 bytes for x/],
    ['a wrong size', fileOf('F32', [2], [0, 0, 0, 0]), /expected 8 bytes for x/],
    ...['F8_E4M3', 'F8_E5M2', 'F8_E8M0', 'F4', 'C64'].map((dtype): [string, Uint8Array, RegExp] => [
      `elements of type ${dtype}`,
      fileOf(dtype, [1], [0]),
      new RegExp(`expected x as one of F64, F32, F16, BF16.*got ${dtype}. Save the checkpoint in float32`),
    ]),
    ['a header of a petabyte', Uint8Array.of(0, 0, 0, 0, 0, 0, 4, 0, 0x7b), /a header of at most 1 bytes/],
    ['a header of more than 100 MB', hugeHeader, /a header of at most 100000000 bytes, got 100000001 bytes/],
    ['a negative size', fileOf('F32', [-1], []), /a shape and a range for x/],
    ['no JSON', Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0x7b), /expected a JSON header/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes)).toThrow(message)
  })

  it('passes over integers, such as the position ids of older BERT files', () => {
    expect(decodeSafetensors(fileOf('I64', [1], [1, 0, 0, 0, 0, 0, 0, 0])).tensors).toEqual([])
  })

  it('refuses two tensors of one name', () => {
    expect(() => encodeSafetensors([tensors[0]!, tensors[0]!])).toThrow(/b twice/)
  })
})

describe('a safetensors file on disk', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fedsvd-safetensors-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('is written tensor by tensor to the same bytes, and read tensor by tensor', async () => {
    const path = join(folder, 'two.safetensors')
    const values = async ({ name }: { name: string }) => tensors.find((tensor) => tensor.name === name)!.data
    await writeSafetensors(path, tensors, values, { run: 'one' })
    expect(new Uint8Array(await readFile(path))).toEqual(encodeSafetensors(tensors, { run: 'one' }))
    await using file = await openSafetensors(path)
    expect(file.entries.map(({ name, dtype }) => [name, dtype])).toEqual([
      ['b', 'F32'],
      ['scalar', 'F32'],
    ])
    expect(await file.read(file.entries[1]!)).toEqual(tensors[1])
    expect(await file.read(file.entries[0]!)).toEqual(tensors[0])
    await expect(writeSafetensors(path, tensors, async () => new Float32Array(3))).rejects.toThrow(
      /4 values of b, got 3/,
    )
  })

  it('gives the bytes of integers, but no floats', async () => {
    const path = join(folder, 'ids.safetensors')
    await writeFile(path, fileOf('I32', [1], [7, 0, 0, 0]))
    await using file = await openSafetensors(path)
    expect([...(await file.bytesOf(file.entries[0]!))]).toEqual([7, 0, 0, 0])
    await expect(file.read(file.entries[0]!)).rejects.toThrow(
      /CHECKPOINT_INVALID: expected x as a float tensor, got I32/,
    )
  })

  it('is refused by name when it is missing, and when it is cut short', async () => {
    await expect(openSafetensors(join(folder, 'none'))).rejects.toThrow(/CHECKPOINT_INVALID.*none, got nothing there/)
    await writeFile(join(folder, 'cut'), encodeSafetensors(tensors).subarray(0, 4))
    await expect(openSafetensors(join(folder, 'cut'))).rejects.toThrow(
      /a header length of 8 bytes in .*cut, got 4 bytes/,
    )
  })
})
