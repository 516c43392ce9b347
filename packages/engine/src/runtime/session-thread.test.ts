import { GraphBuilder, ops } from '@fedsvd/core/autodiff'
import { describe, expect, it } from 'vitest'
import { createOnnxRunner } from './onnx-runner.ts'

const SIZE = 700
const square = { shape: [SIZE, SIZE], data: new Float32Array(SIZE * SIZE).fill(1 / SIZE) }

/** Some hundred milliseconds of products. */
function slowGraph() {
  const g = new GraphBuilder()
  const x = g.input('x', 'float32', [SIZE, SIZE])
  let y = x
  for (let i = 0; i < 40; i++) y = ops.matmul(g, y, x)
  return g.build({ y })
}

describe('a run of onnxruntime', () => {
  it('leaves the event loop to whoever waits for an answer meanwhile', async () => {
    await using runner = await createOnnxRunner(slowGraph(), { name: 'slow', threads: 1 })
    let answers = 0
    const timer = setInterval(() => (answers += 1), 2)
    const { y } = await runner.run({ x: square })
    clearInterval(timer)
    expect(y!.data[0]).toBeCloseTo(1 / SIZE, 6)
    expect(answers).toBeGreaterThan(5)
  })

  it('leaves denormal numbers what they are in the thread that asks for it', async () => {
    await using runner = await createOnnxRunner(slowGraph(), { name: 'denormals', threads: 1 })
    await runner.run({ x: square })
    expect([Number.MIN_VALUE].map((value) => value * 1)).not.toEqual([0])
  })

  it('leaves its inputs as they were, and answers runs in the order of asking', async () => {
    await using runner = await createOnnxRunner(slowGraph(), { name: 'twice', threads: 1 })
    const doubled = { ...square, data: square.data.map((value) => 2 * value) }
    const [one, other] = await Promise.all([runner.run({ x: square }), runner.run({ x: doubled })])
    expect(square.data.length).toBe(SIZE * SIZE)
    expect(other.y!.data[0]! / one.y!.data[0]!).toBeCloseTo(2 ** 41, -9)
  })

  it('fails by the error of the library, and so does a run after its end', async () => {
    const runner = await createOnnxRunner(slowGraph(), { name: 'failing', threads: 1 })
    await expect(runner.run({ x: { shape: [1], data: new Float32Array(1) } })).rejects.toThrow(/x|rank/i)
    await runner[Symbol.asyncDispose]()
    await expect(runner.run({ x: square })).rejects.toThrow('ended')
  })
})
