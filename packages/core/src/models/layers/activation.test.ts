import { expect, it } from 'vitest'
import { GraphBuilder, interpret } from '../../autodiff/index.ts'
import { ACTIVATIONS, activationNamed } from './activation.ts'

// x times the standard normal distribution function, whose values at 1, 2 and 3 every table has
it.each([
  [0, 0],
  [1, 0.8413447460685429],
  [-1, -0.15865525393145705],
  [-2, -2 * 0.02275013194817921],
  [3, 3 * 0.9986501019683699],
])('gelu(%d) is x times the chance of a smaller normal value', (x, expected) => {
  const g = new GraphBuilder()
  const graph = g.build({ y: ACTIVATIONS.gelu(g, g.input('x', 'float32', [1])) })
  // sqrt(1/2) stands in the graph as a float32
  expect(interpret(graph, { x: { shape: [1], data: Float64Array.of(x) } }).y!.data[0]).toBeCloseTo(expected, 7)
})

it('refuses an activation that it does not know', () => {
  expect(activationNamed('gelu')).toBe('gelu')
  expect(() => activationNamed('mish')).toThrow(
    /CHECKPOINT_INVALID: expected an activation among gelu, gelu_new, relu, silu, got mish/,
  )
})
