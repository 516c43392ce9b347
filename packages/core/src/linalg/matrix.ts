/** A dense float64 matrix stored column after column, so that the columns of a tall factor are contiguous. */
export interface ColumnMatrix {
  readonly rows: number
  readonly columns: number
  readonly data: Float64Array
}

export function zeros(rows: number, columns: number): ColumnMatrix {
  return { rows, columns, data: new Float64Array(rows * columns) }
}

export function identity(size: number): ColumnMatrix {
  const result = zeros(size, size)
  for (let index = 0; index < size; index += 1) result.data[index * size + index] = 1
  return result
}

/** Column `index` as a view, not a copy. */
export function column({ rows, data }: ColumnMatrix, index: number): Float64Array {
  return data.subarray(index * rows, (index + 1) * rows)
}

/** A row-major rows x columns array (how tensors are stored) as a column matrix. */
export function fromRowMajor(rows: number, columns: number, values: ArrayLike<number>): ColumnMatrix {
  const result = zeros(rows, columns)
  for (let row = 0; row < rows; row += 1) {
    for (let index = 0; index < columns; index += 1) result.data[index * rows + row] = values[row * columns + index]!
  }
  return result
}

/**
 * The transpose of a row-major rows x columns array, as a column matrix of shape columns x rows. No reordering is
 * needed.
 */
export function transposeOfRowMajor(rows: number, columns: number, values: ArrayLike<number>): ColumnMatrix {
  return { rows: columns, columns: rows, data: new Float64Array(values) }
}

/** The matrix as a row-major float32 array. */
export function toRowMajor({ rows, columns, data }: ColumnMatrix): Float32Array {
  const result = new Float32Array(rows * columns)
  for (let index = 0; index < columns; index += 1) {
    for (let row = 0; row < rows; row += 1) result[row * columns + index] = data[index * rows + row]!
  }
  return result
}

/** left (m x k) times right (k x n). */
export function multiply(left: ColumnMatrix, right: ColumnMatrix): ColumnMatrix {
  const result = zeros(left.rows, right.columns)
  const whole = left.columns - (left.columns % 4)
  for (let index = 0; index < right.columns; index += 1) {
    const target = column(result, index)
    const factors = column(right, index)
    for (let inner = 0; inner < whole; inner += 4) addFour(target, factors, left, inner)
    for (let inner = whole; inner < left.columns; inner += 1) addScaled(target, factors[inner]!, column(left, inner))
  }
  return result
}

/**
 * target += factors[i] times column i of `source`, for four columns from `first` on: one pass over a tall target
 * instead of four.
 */
function addFour(target: Float64Array, factors: Float64Array, source: ColumnMatrix, first: number): void {
  const [f0, f1, f2, f3] = factors.subarray(first, first + 4) as unknown as [number, number, number, number]
  const [s0, s1, s2, s3] = [
    column(source, first),
    column(source, first + 1),
    column(source, first + 2),
    column(source, first + 3),
  ]
  for (let index = 0; index < target.length; index += 1) {
    target[index] = target[index]! + (f0 * s0[index]! + f1 * s1[index]! + (f2 * s2[index]! + f3 * s3[index]!))
  }
}

export function transpose(matrix: ColumnMatrix): ColumnMatrix {
  return fromRowMajor(matrix.columns, matrix.rows, matrix.data)
}

/** Four sums side by side: one alone would wait for each of its additions. */
export function dot(left: Float64Array, right: Float64Array): number {
  const whole = left.length - (left.length % 4)
  let [a, b, c, d] = [0, 0, 0, 0]
  for (let index = 0; index < whole; index += 4) {
    a += left[index]! * right[index]!
    b += left[index + 1]! * right[index + 1]!
    c += left[index + 2]! * right[index + 2]!
    d += left[index + 3]! * right[index + 3]!
  }
  for (let index = whole; index < left.length; index += 1) a += left[index]! * right[index]!
  return a + b + (c + d)
}

/** target += factor * source, in place. */
export function addScaled(target: Float64Array, factor: number, source: Float64Array): void {
  if (factor === 0) return
  for (let index = 0; index < target.length; index += 1) target[index] = target[index]! + factor * source[index]!
}
