import { FedsvdError } from '../errors.ts'
import { areFinite, type NamedTensor, sizeOf, type TensorSpec } from '../tensor/index.ts'

/** SHAPE_MISMATCH unless the tensors are those of the specs: names, shapes, order, and as many values as shapes say. */
export function requireSpecs(tensors: readonly NamedTensor[], specs: readonly TensorSpec[], remedy: string): void {
  const fits =
    specs.length > 0 &&
    tensors.length === specs.length &&
    specs.every(({ name, shape }, t) => {
      const tensor = tensors[t]!
      return (
        tensor.name === name &&
        tensor.shape.length === shape.length &&
        tensor.shape.every((size, axis) => size === shape[axis]) &&
        tensor.data.length === sizeOf(shape)
      )
    })
  if (fits) return
  throw new FedsvdError('SHAPE_MISMATCH', {
    expected: `the trained tensors ${JSON.stringify(specs)}`,
    got: JSON.stringify(tensors.map(({ name, shape, data }) => ({ name, shape, values: data.length }))),
    remedy,
  })
}

/** NOT_FINITE, naming the first tensor that holds NaN or infinity but none of its values, which may be private. */
export function requireFinite(tensors: readonly NamedTensor[], expected: string, remedy: string): void {
  for (const { name, data } of tensors) {
    if (!areFinite(data)) {
      throw new FedsvdError('NOT_FINITE', { expected, got: `NaN or infinity in ${name}`, remedy })
    }
  }
}

/** Whether a number is above 0 and finite; NaN is not. */
export function isPositive(value: number): boolean {
  return value > 0 && value < Number.POSITIVE_INFINITY
}
