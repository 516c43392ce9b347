import { FedsvdError } from '../errors.ts'
import { discreteGaussian, RandomBits, type RandomSource } from '../random/index.ts'
import type { Randomness } from './private-update.ts'
import { type Reservation, type ReservedEntry, useReservation } from './reservation.ts'
import { SMOOTHING } from './sensitivity.ts'

/** The shape of a sum of counts. */
export interface CountsShape {
  readonly cells: number
  /**
   * The L2 sensitivity: no unit's vector has a larger norm, in the integers that are added up. At most 2^20, so that a
   * sum over 2^32 units is exact in float64.
   */
  readonly bound: number
}

/** How a sum of counts is noised. */
export interface CountsNoise {
  /** Pays for this one draw: a full batch (sampleRate 1) of one step. */
  readonly reservation: Reservation
  /** Standard deviation of the noise over the bound. */
  readonly noiseMultiplier: number
  readonly source: RandomSource
}

/** A sum of one bounded vector of integers for each unit, on its way to its noise. */
export interface CountsSum {
  /** Units that were left out: their vectors were outside the bound, or not whole numbers. They count as zeros. */
  readonly leftOut: number
  /** Adds the vector of one unit, exactly. A vector outside the bound adds zeros: nothing about a unit is an error. */
  add(vector: ArrayLike<number>): void
  /**
   * The sum with discrete Gaussian noise, once. What is left to assume is that each vector is a function of its unit
   * alone.
   *
   * @throws FedsvdError RESERVATION_MISSING, TERMS_CHANGED for another event than was reserved, NOISE_INVALID
   */
  noised(noise: CountsNoise): NoisedCounts
}

/** Counts that may leave a site; only {@link beginCounts} makes one. */
class NoisedCountsOfUnits {
  // oxlint-disable-next-line no-unused-private-class-members -- isOne asks whether it is there
  readonly #made = true
  /** In the integers that were added up; not rounded to any. */
  readonly values: Float64Array
  readonly reserved: ReservedEntry
  readonly randomness: Randomness

  constructor(values: Float64Array, reserved: ReservedEntry, randomness: Randomness) {
    this.values = values
    this.reserved = reserved
    this.randomness = randomness
    Object.freeze(this)
  }

  static isOne(candidate: unknown): candidate is NoisedCountsOfUnits {
    return candidate instanceof NoisedCountsOfUnits && #made in candidate
  }
}

export type { NoisedCountsOfUnits as NoisedCounts }

type NoisedCounts = NoisedCountsOfUnits

/** Throws RESERVATION_MISSING unless the mechanism made this. */
export function assertNoisedCounts(candidate: unknown): asserts candidate is NoisedCounts {
  if (NoisedCountsOfUnits.isOne(candidate)) return
  throw new FedsvdError('RESERVATION_MISSING', {
    expected: 'counts that the private mechanism noised',
    got: 'a value that it did not make',
    remedy: 'Send only what CountsSum.noised returned; nothing was sent.',
  })
}

const MOST_BOUND = 2 ** 20

/**
 * Begins a sum of counts under add-or-remove-one. One unit moves the sum by its own vector, whose squares are added up
 * and compared with the bound exactly, in integers; the noise is that of the training sum (see `sensitivity.ts`), so
 * the event is a Gaussian mechanism without sampling.
 */
export function beginCounts({ cells, bound }: CountsShape): CountsSum {
  const isUsable = Number.isSafeInteger(cells) && cells > 0 && Number.isSafeInteger(bound) && bound > 0
  if (!isUsable || bound > MOST_BOUND)
    throw new RangeError(`expected cells and a bound up to 2^20, got ${cells}, ${bound}`)
  const sum = new Float64Array(cells)
  let leftOut = 0
  let isFinished = false
  return {
    get leftOut() {
      return leftOut
    },
    add(vector) {
      if (isFinished) throw finished()
      let squares = 0
      for (let cell = 0; cell < cells; cell++) {
        const value = vector[cell]
        squares += Number.isInteger(value) ? value! * value! : Number.POSITIVE_INFINITY
      }
      if (vector.length !== cells || !(squares <= bound * bound)) {
        leftOut += 1
        return
      }
      for (let cell = 0; cell < cells; cell++) sum[cell]! += vector[cell]!
    },
    noised({ reservation, noiseMultiplier, source }) {
      if (isFinished) throw finished()
      isFinished = true
      const reserved = useReservation(reservation)
      requireFullBatch(reserved, noiseMultiplier)
      const noise = new Float64Array(cells)
      discreteGaussian(Math.hypot(noiseMultiplier * bound, SMOOTHING)).fill(RandomBits.from(source), noise)
      const randomness = source.kind === 'os-csprng' ? 'secure' : 'NOT PRIVATE'
      return new NoisedCountsOfUnits(
        sum.map((value, cell) => value + noise[cell]!),
        reserved,
        randomness,
      )
    },
  }
}

function requireFullBatch({ event }: ReservedEntry, noiseMultiplier: number): void {
  const isSame =
    event.relation === 'add-or-remove-one' &&
    event.unit !== 'client' &&
    event.sampleRate === 1 &&
    event.steps === 1 &&
    event.noiseMultiplier === noiseMultiplier
  if (isSame) return
  throw new FedsvdError('TERMS_CHANGED', {
    expected: `the terms that were reserved, ${JSON.stringify(event)}`,
    got: JSON.stringify({ sampleRate: 1, steps: 1, noiseMultiplier }),
    remedy: 'Reserve what is to be counted; nothing was drawn.',
  })
}

function finished(): FedsvdError {
  return new FedsvdError('STEP_ORDER', {
    expected: 'units first, then noise once',
    got: 'a call after the noise',
    remedy: 'Begin another sum with a reservation of its own.',
  })
}
