import type { DeviceStack, LinearAlgebraDevice, StackShape } from '@fedsvd/core/linalg'

/**
 * A device in this language, by the definition of its two products. In float32 every product and every sum is rounded,
 * as a GPU rounds them, so that the loss of digits is there without the hardware.
 */
export function hostDevice(
  precision: LinearAlgebraDevice['precision'],
  maxStackBytes = Number.POSITIVE_INFINITY,
): LinearAlgebraDevice & { readonly alive: () => number } {
  let alive = 0
  const round = precision === 'float32' ? Math.fround : (value: number) => value
  const stackOf = ({ count, rows, columns }: StackShape, data: Float32Array | Float64Array): DeviceStack => {
    alive += 1
    return {
      gram: async () => {
        const grams = new Float64Array(count * columns * columns)
        for (let index = 0; index < grams.length; index += 1) {
          const [layer, left, right] = [
            Math.floor(index / columns ** 2),
            Math.floor(index / columns) % columns,
            index % columns,
          ]
          let sum = 0
          for (let row = 0; row < rows; row += 1) {
            const at = (layer * rows + row) * columns
            sum = round(sum + round(data[at + left]! * data[at + right]!))
          }
          grams[index] = sum
        }
        return grams
      },
      times: async (right) => {
        const product = precision === 'float32' ? new Float32Array(data.length) : new Float64Array(data.length)
        for (let index = 0; index < product.length; index += 1) {
          const [layer, row, column] = [
            Math.floor(index / (rows * columns)),
            Math.floor(index / columns),
            index % columns,
          ]
          let sum = 0
          for (let inner = 0; inner < columns; inner += 1) {
            const factor = round(right[(layer * columns + inner) * columns + column]!)
            sum = round(sum + round(data[row * columns + inner]! * factor))
          }
          product[index] = sum
        }
        return stackOf({ count, rows, columns }, product)
      },
      read: async () => data,
      release: () => {
        alive -= 1
      },
    }
  }
  return {
    name: `host-${precision}`,
    precision,
    maxStackBytes,
    upload: async (shape, data) => stackOf(shape, data),
    alive: () => alive,
  }
}
