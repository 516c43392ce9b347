import { FedsvdError } from '../../errors.ts'
import { type NamedTensor, sizeOf, type TensorSpec } from '../../tensor/index.ts'
import type { Aggregation } from './aggregation.ts'
import { requireDelta } from './running-mean.ts'

/**
 * An aggregation that needs all updates at once: each is kept as one flat row, in the order of the specs. It has
 * nothing to do with buffered mode, which is about when a round closes.
 */
export function bufferedAggregation(
  specs: readonly TensorSpec[],
  least: number,
  combine: (updates: readonly Float32Array[]) => Float32Array,
): Aggregation {
  const sizes = specs.map(({ shape }) => sizeOf(shape))
  const width = sizes.reduce((sum, size) => sum + size, 0)
  const updates: Float32Array[] = []
  return {
    get count() {
      return updates.length
    },
    add(delta) {
      requireDelta(specs, delta)
      const flat = new Float32Array(width)
      let offset = 0
      for (const { data } of delta) {
        flat.set(data, offset)
        offset += data.length
      }
      updates.push(flat)
    },
    result() {
      if (updates.length < least) {
        throw new FedsvdError('RUN_STATE', {
          expected: `at least ${least} updates for the aggregation rule of this run`,
          got: String(updates.length),
          remedy: 'Keep the round open until its quorum is met.',
        })
      }
      return split(combine(updates), specs, sizes)
    },
  }
}

function split(flat: Float32Array, specs: readonly TensorSpec[], sizes: readonly number[]): NamedTensor[] {
  let offset = 0
  return specs.map(({ name, shape }, index) => {
    const data = flat.slice(offset, offset + sizes[index]!)
    offset += sizes[index]!
    return { name, shape, data }
  })
}
