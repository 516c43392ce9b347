import { FedsvdError } from '../errors.ts'
import { gridOf } from '../privacy/index.ts'
import { areFinite, type NamedTensor, sizeOf, type TensorSpec } from '../tensor/index.ts'

/** What turns the integers of a sum into a step; public constants, the same for every site. */
export interface StepOfSum {
  /** The trained tensors, in the order in which their entries stand in the sum. */
  readonly specs: readonly TensorSpec[]
  readonly clipNorm: number
  readonly learningRate: number
  /** The expected lots of the survivors, added up: never the sizes that were drawn. */
  readonly expectedLots: number
}

/**
 * The change of the trained tensors by one step of gradient descent with the sum of the survivors' noised gradients:
 * -learningRate * sum * grid / expectedLots. It is what one site with the records of all of them would have done.
 *
 * @throws FedsvdError SHAPE_MISMATCH for a sum of another length, NOT_FINITE for a change that float32 cannot hold, as
 *   a malicious site can make it
 */
export function stepOfSum(
  sum: Float64Array,
  { specs, clipNorm, learningRate, expectedLots }: StepOfSum,
): NamedTensor[] {
  const length = specs.reduce((total, { shape }) => total + sizeOf(shape), 0)
  if (sum.length !== length || !(expectedLots > 0)) {
    throw new FedsvdError('SHAPE_MISMATCH', {
      expected: `${length} integers, and expected lots above 0`,
      got: `${sum.length} integers, and ${expectedLots}`,
      remedy: 'Open the sum with the terms of the run.',
    })
  }
  const scale = (-learningRate * gridOf(clipNorm)) / expectedLots
  let offset = 0
  const change = specs.map(({ name, shape }) => {
    const data = new Float32Array(sizeOf(shape))
    for (let i = 0; i < data.length; i++) data[i] = scale * sum[offset + i]!
    offset += data.length
    return { name, shape, data }
  })
  if (change.every((tensor) => areFinite(tensor.data))) return change
  throw new FedsvdError('NOT_FINITE', {
    expected: 'a step that float32 can hold',
    got: `one of a learning rate of ${learningRate} that it cannot`,
    remedy: 'Lower the learning rate, or look at who took part in the sum.',
  })
}
