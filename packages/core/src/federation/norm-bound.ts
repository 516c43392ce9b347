import { type AdapterSchema, trainedSpecs } from '../lora/index.ts'
import { GRID_BITS, gridOf, gridSensitivity } from '../privacy/index.ts'
import { sizeOf } from '../tensor/index.ts'

const FALSE_ALARM = 1e-9

/** The public constants that decide how large an honest update can be. */
export interface UpdateSize {
  readonly adapter: AdapterSchema
  readonly clipNorm: number
  readonly learningRate: number
  readonly momentum: number
  readonly localSteps: number
  readonly expectedLotSize: number
}

/**
 * The flat L2 norm that an honest update exceeds with probability below 1e-9; whatever is larger is refused.
 *
 * A lot of L expected records holds at most L + t (Chernoff), each clipped to clipNorm; the noise of all steps together
 * is Gaussian with a norm of at most (sqrt(d) + sqrt(2x)) standard deviations (Laurent and Massart 2000), x = ln(2 /
 * 1e-9).
 */
export function updateNormBound(run: UpdateSize, { noiseMultiplier }: { readonly noiseMultiplier: number }): number {
  const dimension = trainedSpecs(run.adapter).reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const tail = Math.log((2 * run.localSteps) / FALSE_ALARM)
  const largestLot = run.expectedLotSize + tail / 3 + Math.sqrt(tail ** 2 / 9 + 2 * run.expectedLotSize * tail)
  const noiseStdDev = noiseMultiplier * gridSensitivity({ dimension, gridBits: GRID_BITS }) * gridOf(run.clipNorm)
  const signal = run.localSteps * largestLot * run.clipNorm
  const noise = Math.sqrt(run.localSteps) * noiseStdDev * (Math.sqrt(dimension) + Math.sqrt(2 * tail))
  return ((run.learningRate / run.expectedLotSize) * (signal + noise)) / (1 - run.momentum)
}
