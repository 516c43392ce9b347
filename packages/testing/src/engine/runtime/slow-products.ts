import { GraphBuilder, ops } from '@fedsvd/core/autodiff'

/** Forty products of square matrices, some hundred milliseconds of them, and their inputs: all `y` are 1 / size. */
export function slowProducts(size: number) {
  const g = new GraphBuilder()
  const x = g.input('x', 'float32', [size, size])
  let y = x
  for (let i = 0; i < 40; i++) y = ops.matmul(g, y, x)
  const square = { shape: [size, size], data: new Float32Array(size * size).fill(1 / size) }
  return { graph: g.build({ y }), inputs: { x: square } }
}

/** What `run` gives, and how often the event loop had a turn meanwhile. */
export async function turnsDuring<T>(run: () => Promise<T>): Promise<{ readonly value: T; readonly turns: number }> {
  let turns = 0
  const timer = setInterval(() => (turns += 1), 2)
  try {
    const value = await run()
    return { value, turns }
  } finally {
    clearInterval(timer)
  }
}
