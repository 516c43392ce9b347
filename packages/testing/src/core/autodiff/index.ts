import { type Graph, GraphBuilder, interpret, perRecordGradients, type Value } from '@fedsvd/core/autodiff'
import type { DenseTensor } from '../../../../core/src/autodiff/dense.ts'

/** A fixed, irregular sequence in [-1, 1]; streams with different keys look unrelated. For tests only. */
export function wave(key: number, length: number, amplitude = 1): Float64Array {
  return Float64Array.from(
    { length },
    (_, index) => amplitude * Math.sin(12.9898 * (index + 1) + 78.233 * (key + 1) ** 2),
  )
}

/** A tensor of {@link wave} values. */
export function waveTensor(key: number, shape: readonly number[], amplitude = 1): DenseTensor {
  const size = shape.reduce((product, dim) => product * dim, 1)
  return { shape, data: wave(key, size, amplitude) }
}

/** Adds to a graph the loss [N] of every record; `inputs` are the graph's inputs by name. */
export type LossBuilder = (g: GraphBuilder, inputs: Readonly<Record<string, Value>>) => Value

/** An input of a graph under test: its declared shape and a value. */
export interface TestInput {
  readonly shape: readonly (number | string)[]
  readonly value: DenseTensor
}

/** The graph of the losses and of the per-record gradients of `trained`, each in the parameter's own layout. */
export function gradientGraph(
  inputs: Readonly<Record<string, TestInput>>,
  trained: readonly string[],
  loss: LossBuilder,
): { readonly graph: Graph; readonly transposed: readonly boolean[] } {
  const g = new GraphBuilder()
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape }]) => [name, g.input(name, 'float32', shape)]),
  )
  const losses = loss(g, values)
  const gradients = perRecordGradients(
    g,
    losses,
    trained.map((name) => values[name]!),
  )
  const outputs = Object.fromEntries(trained.map((name, index) => [`d ${name}`, gradients[index]!.value]))
  return { graph: g.build({ losses, ...outputs }), transposed: gradients.map(({ transposed }) => transposed) }
}

/**
 * The largest relative difference between the graph's per-record gradients and central differences of the losses, over
 * every element of every trained tensor and every record. Relative to the largest gradient, so that zeros count too.
 */
export function gradientError(
  inputs: Readonly<Record<string, TestInput>>,
  trained: readonly string[],
  loss: LossBuilder,
): number {
  const { graph, transposed } = gradientGraph(inputs, trained, loss)
  const at = (overrides: Readonly<Record<string, DenseTensor>> = {}) => {
    const values = Object.entries(inputs).map(([name, { value }]) => [name, overrides[name] ?? value] as const)
    return interpret(graph, Object.fromEntries(values))
  }
  const results = at()
  const step = 1e-5
  let worst = 0
  let largest = 0
  for (const [position, name] of trained.entries()) {
    const { shape, data } = inputs[name]!.value
    const nudged = (index: number, by: number) => {
      const moved = data.with(index, data[index]! + by)
      return at({ [name]: { shape, data: moved } }).losses!.data
    }
    for (let index = 0; index < data.length; index++) {
      const [above, below] = [nudged(index, step), nudged(index, -step)]
      const place = transposed[position] ? transposedPlace(index, shape) : index
      above.forEach((value, record) => {
        const expected = (value - below[record]!) / (2 * step)
        const actual = results[`d ${name}`]!.data[record * data.length + place]!
        worst = Math.max(worst, Math.abs(actual - expected))
        largest = Math.max(largest, Math.abs(expected))
      })
    }
  }
  return worst / largest
}

/** Where element `index` of a matrix [rows, columns] lies in its transpose. */
function transposedPlace(index: number, shape: readonly number[]): number {
  const [rows, columns] = shape as [number, number]
  return (index % columns) * rows + Math.floor(index / columns)
}
