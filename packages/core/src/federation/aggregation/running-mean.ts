import { FedsvdError } from '../../errors.ts'
import { type NamedTensor, sizeOf, type TensorSpec } from '../../tensor/index.ts'

/** A mean that is built update by update, so that memory does not grow with the number of clients. */
export interface RunningMean {
  readonly count: number
  /**
   * Adds one delta, in the order of the specs.
   *
   * @param weight above 0; default: 1. Weights are public constants: the sizes of data sets are data
   * @throws FedsvdError SHAPE_MISMATCH
   */
  add(delta: readonly NamedTensor[], weight?: number): void
  /** The mean by weight, of all deltas alike where none has one. @throws FedsvdError RUN_STATE when empty */
  mean(): NamedTensor[]
}

/** Sums in float64; the order of the additions decides the last bits, so callers add in a fixed order. */
export function beginMean(specs: readonly TensorSpec[]): RunningMean {
  const sums = specs.map(({ shape }) => new Float64Array(sizeOf(shape)))
  let count = 0
  let total = 0
  return {
    get count() {
      return count
    },
    add(delta, weight = 1) {
      requireDelta(specs, delta)
      for (const [index, sum] of sums.entries()) {
        const { data } = delta[index]!
        for (let element = 0; element < sum.length; element += 1) sum[element] = sum[element]! + weight * data[element]!
      }
      count += 1
      total += weight
    },
    mean() {
      if (count === 0) {
        throw new FedsvdError('RUN_STATE', {
          expected: 'at least one update',
          got: '0 updates',
          remedy: 'Keep the round open until its quorum is met.',
        })
      }
      return specs.map(({ name, shape }, index) => ({
        name,
        shape,
        data: meanOf(sums[index]!, total),
      }))
    },
  }
}

function meanOf(sum: Float64Array, total: number): Float32Array {
  const mean = new Float32Array(sum.length)
  for (let element = 0; element < sum.length; element += 1) mean[element] = sum[element]! / total
  return mean
}

/** @throws FedsvdError SHAPE_MISMATCH unless the tensors are those of the specs, in their order */
export function requireDelta(specs: readonly TensorSpec[], delta: readonly NamedTensor[]): void {
  for (const [index, { name, shape }] of specs.entries()) {
    const tensor = delta[index]
    if (tensor?.name === name && tensor.data.length === sizeOf(shape)) continue
    throw new FedsvdError('SHAPE_MISMATCH', {
      expected: `${name} of shape [${shape.join(', ')}]`,
      got: tensor ? `${tensor.name} of shape [${tensor.shape.join(', ')}]` : 'no tensor',
      remedy: 'Use the adapter schema of the run.',
    })
  }
}
