/** A tensor of numbers in row-major order, as the interpreter holds it: float64, whatever the graph declares. */
export interface DenseTensor {
  readonly shape: readonly number[]
  readonly data: Float64Array
}

/** Number of elements of a shape. */
export function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

/** How far apart neighbours along each axis lie in row-major order. */
export function strides(shape: readonly number[]): readonly number[] {
  const result: number[] = []
  let stride = 1
  for (const size of [...shape].reverse()) {
    result.unshift(stride)
    stride *= size
  }
  return result
}

/** Builds a tensor by asking for the value at every position; `index` is reused between calls. */
export function tabulate(
  shape: readonly number[],
  at: (index: readonly number[], flat: number) => number,
): DenseTensor {
  const data = new Float64Array(elements(shape))
  const index = shape.map(() => 0)
  for (let flat = 0; flat < data.length; flat++) {
    data[flat] = at(index, flat)
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]! += 1
      if (index[axis]! < shape[axis]!) break
      index[axis] = 0
    }
  }
  return { shape, data }
}

/** Reads `x` at a position of a shape that `x` broadcasts to. */
export function broadcastReader({ shape, data }: DenseTensor): (index: readonly number[]) => number {
  const steps = strides(shape).map((stride, axis) => (shape[axis] === 1 ? 0 : stride))
  return (index) => {
    const offset = index.length - shape.length
    let flat = 0
    for (let axis = 0; axis < shape.length; axis++) flat += steps[axis]! * index[offset + axis]!
    return data[flat]!
  }
}

/** The common shape of two tensors that broadcast against each other. */
export function commonShape(a: readonly number[], b: readonly number[]): readonly number[] {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, axis) => {
    const [x, y] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1]
    return x === 1 ? y : x
  })
}
