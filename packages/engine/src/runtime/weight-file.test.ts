import { readdir, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { BATCH, GraphBuilder, ops } from '@fedsvd/core/autodiff'
import { describe, expect, it } from 'vitest'
import { createOnnxRunner } from './onnx-runner.ts'
import { weightBytes, writeModelFiles } from './weight-file.ts'

/** Two weights that are large enough for a file, each used, and constants that are not. */
function graph() {
  const g = new GraphBuilder()
  const weight = (name: string, key: number) =>
    g.weight({ name, shape: [70, 70], data: Float32Array.from({ length: 4900 }, (_, n) => Math.sin(n + key)) })
  const x = g.input('x', 'float32', [BATCH, 70])
  const hidden = ops.tanh(g, ops.matmul(g, x, weight('first', 1)))
  return g.build({ y: ops.scale(g, ops.matmul(g, hidden, ops.transposeMatrix(g, weight('second', 2))), 0.5) })
}

const modelFolders = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('fedsvd-model-'))

describe('weights in a file', () => {
  it('give the results of weights in the model, bit for bit', async () => {
    const x = { shape: [3, 70], data: Float32Array.from({ length: 210 }, Math.cos) }
    await using inline = await createOnnxRunner(graph(), { name: 'inline', threads: 1 })
    await using mapped = await createOnnxRunner(graph(), { name: 'mapped', threads: 1, maxInlineBytes: 0 })
    expect((await mapped.run({ x })).y).toEqual((await inline.run({ x })).y)
  })

  it('stand beside a model that holds the rest, readable by their owner only', async () => {
    await using files = await writeModelFiles(graph(), 'test')
    const [model, weights] = await Promise.all(
      [files.modelPath, path.join(path.dirname(files.modelPath), 'weights.bin')].map((file) => stat(file)),
    )
    expect(model!.size).toBeLessThan(4096)
    expect(weights!.size).toBe(20_480 + 19_600)
    expect(weightBytes(graph())).toBeGreaterThanOrEqual(2 * 19_600)
    expect(weights!.mode & 0o077).toBe(0)
  })

  it('are deleted once the model is loaded, and when it cannot be', async () => {
    const before = await modelFolders()
    {
      await using _ = await createOnnxRunner(graph(), { name: 'test', threads: 1, maxInlineBytes: 0 })
      expect(await modelFolders()).toEqual(before)
    }
    const broken = { ...graph(), outputs: [{ name: 'nobody', dtype: 'float32', shape: [1] }] } as const
    await expect(createOnnxRunner(broken, { name: 'test', threads: 1, maxInlineBytes: 0 })).rejects.toThrow()
    expect(await modelFolders()).toEqual(before)
  })
})
