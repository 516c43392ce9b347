import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadStarterCheckpoint } from './load.ts'
import { readTfjsWeights } from './tfjs-weights.ts'

describe('the installed checkpoint', () => {
  it('has 6.98 million parameters, all finite', async () => {
    const checkpoint = await loadStarterCheckpoint()
    const tensors = [...checkpoint.values()]
    const parameters = tensors.reduce((sum, { data }) => sum + data.length, 0)
    // 27,903,656 bytes of weights, less the scalars and shapes that are part of the architecture
    expect(parameters).toBeGreaterThan(6_975_000)
    expect(parameters).toBeLessThan(27_903_656 / 4)
    expect(tensors.every(({ data }) => data.every(Number.isFinite))).toBe(true)
    expect(checkpoint.get('encoder.layer.1.attention.qkv.weight')?.shape).toEqual([512, 1536])
  })
})

describe('readTfjsWeights', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fedsvd-checkpoint-'))
  })
  afterAll(async () => await rm(folder, { recursive: true }))

  /** Writes a model of one float32 pair, one int32 and one more float32 over two shards, changed as asked. */
  async function write(name: string, change: { bytes?: Buffer; weight?: object; text?: string } = {}): Promise<string> {
    const path = join(folder, `${name}.json`)
    const weights = [
      { name: 'pair', shape: [2], dtype: 'float32', ...change.weight },
      { name: 'size', shape: [], dtype: 'int32' },
      { name: 'one', shape: [1, 1], dtype: 'float32' },
    ]
    const bytes = change.bytes ?? Buffer.from(new Uint8Array(Float32Array.of(1.5, -2, 0, 3.25).buffer))
    await writeFile(join(folder, `${name}-1`), bytes.subarray(0, 6))
    await writeFile(join(folder, `${name}-2`), bytes.subarray(6))
    const manifest = { weightsManifest: [{ paths: [`${name}-1`, `${name}-2`], weights }] }
    await writeFile(path, change.text ?? JSON.stringify(manifest))
    return path
  }

  it('reads float32 tensors across shard borders and passes over integers', async () => {
    const tensors = await readTfjsWeights(await write('sound'))
    expect([...tensors.keys()]).toEqual(['pair', 'one'])
    expect([...tensors.get('pair')!.data]).toEqual([1.5, -2])
    expect(tensors.get('one')).toEqual({ name: 'one', shape: [1, 1], data: Float32Array.of(3.25) })
  })

  it.each([
    ['shorter than the manifest says', { bytes: Buffer.alloc(12) }, /expected 16 bytes of weights, got 12/],
    ['longer than the manifest says', { bytes: Buffer.alloc(20) }, /expected 16 bytes of weights, got 20/],
    ['quantised', { weight: { quantization: { dtype: 'uint8' } } }, /maybe quantised/],
    ['of an unknown type', { weight: { dtype: 'complex64' } }, /of type complex64/],
    ['not JSON', { text: '{' }, /a TensorFlow.js model.json/],
    ['without weights', { text: '{}' }, /a TensorFlow.js model.json/],
  ])('refuses a file that is %s', async (name, change, message) => {
    await expect(readTfjsWeights(await write(name.replaceAll(' ', '-'), change))).rejects.toThrow(message)
  })

  it('names a file that is missing', async () => {
    await expect(readTfjsWeights(join(folder, 'absent.json'))).rejects.toThrow(/CHECKPOINT_INVALID.*absent\.json/)
  })
})
