import { FedsvdError } from '../errors.ts'
import { discreteGaussian, RandomBits, type RandomSource } from '../random/index.ts'
import { type NamedTensor, sizeOf, type TensorSpec } from '../tensor/index.ts'
import { type AdaptiveClipping, shareUnder, splitNoise, VOTE_UNIT, voteSigma } from './adaptive-clipping.ts'
import { isPositive, requireFinite, requireSpecs } from './checks.ts'
import { beginClippedSum, gridSumOf } from './clipped-sum.ts'
import type { Randomness } from './private-update.ts'
import { type Reservation, type ReservedEntry, useReservation } from './reservation.ts'
import { gridOf, gridSigma } from './sensitivity.ts'

export interface ClientLevelOptions {
  readonly specs: readonly TensorSpec[]
  /** Pays for one step of an event with unit 'client'. */
  readonly reservation: Reservation
  /** Bound S on the flat norm of one client's delta. */
  readonly clipNorm: number
  readonly noiseMultiplier: number
  /** The divisor of the mean: a public constant such as the number of clients invited, not of those that answered. */
  readonly expectedClients: number
  readonly source: RandomSource
  /** With it the votes of the clients on the clip norm are released, too, out of the same noise multiplier. */
  readonly adaptiveClipping?: AdaptiveClipping
}

/** The noised mean of clipped client deltas, and what paid for it. */
export interface ClientLevelMean {
  readonly tensors: readonly NamedTensor[]
  readonly reserved: ReservedEntry
  readonly randomness: Randomness
  /** Noised share of the expected clients at or below the clip norm; there with adaptive clipping only. */
  readonly shareUnderClip?: number
}

/** Collects the deltas of one round, one by one, in memory that does not grow with their number. */
export interface ClientLevelRound {
  /**
   * Adds a client's delta: clipped to clipNorm, rounded to the grid, with weight 1 like every other.
   * NOT_FINITE or SHAPE_MISMATCH leave the sum as it was; UPDATE_CONFLICT for a client that was added before.
   */
  add(clientId: string, delta: readonly NamedTensor[]): void
  /** Noise, then the mean, once. Clients that did not answer count as zeros, and a round without any is noised too. */
  finish(): ClientLevelMean
}

/**
 * Client-level differential privacy, with noise added centrally: adding or removing one client, with all its records,
 * changes the integer sum by at most `gridSensitivity`, and the noise is the same discrete Gaussian as at record level.
 *
 * It protects against whoever sees what is published; the coordinator, which runs this, sees each delta in the clear.
 * No amplification is assumed: the event must have sampleRate 1, because the coordinator knows whom it selected.
 *
 * Refuses with RESERVATION_MISSING, TERMS_CHANGED (clipNorm, noiseMultiplier, unit, sampleRate or steps other than
 * reserved) and NOISE_INVALID (expectedClients not above 0).
 */
export function beginClientLevelRound(options: ClientLevelOptions): ClientLevelRound {
  const reserved = useReservation(options.reservation)
  requireTerms(options, reserved)
  const { specs, clipNorm, noiseMultiplier, expectedClients, source, adaptiveClipping } = options
  const split = splitNoise(noiseMultiplier, adaptiveClipping)
  const sum = beginClippedSum({ specs, clipNorm })
  const added = new Set<string>()
  let finished = false

  const requireOpen = () => {
    if (finished) throw closed()
  }
  return {
    add(clientId, delta) {
      requireOpen()
      if (added.has(clientId)) throw addedBefore(clientId)
      requireSpecs(delta, specs, 'Send the delta of every trained tensor, in the order of the trained specs.')
      requireFinite(delta, 'a finite delta', 'Leave this client out of the round; the sum is as it was.')
      added.add(clientId)
      sum.add(delta.map(({ data }) => data))
    },
    finish() {
      requireOpen()
      finished = true
      const clipped = sum.finish()
      const sums = gridSumOf(clipped, { specs, clipNorm })
      const dimension = specs.reduce((total, { shape }) => total + sizeOf(shape), 0)
      const gaussian = discreteGaussian(gridSigma({ noiseMultiplier: split.sum, dimension }))
      const bits = RandomBits.from(source)
      const scale = gridOf(clipNorm) / expectedClients
      const tensors = specs.map(({ name, shape }, t) => {
        const noise = new Float64Array(sums[t]!.length)
        gaussian.fill(bits, noise)
        return { name, shape, data: Float32Array.from(sums[t]!, (integer, i) => (integer + noise[i]!) * scale) }
      })
      const randomness = source.kind === 'os-csprng' ? 'secure' : 'NOT PRIVATE'
      if (adaptiveClipping === undefined) return { tensors, reserved, randomness }
      const voteNoise = new Float64Array(1)
      discreteGaussian(voteSigma(split.votes)).fill(bits, voteNoise)
      const shareUnderClip = shareUnder(clipped.votes * VOTE_UNIT + voteNoise[0]!, expectedClients)
      return { tensors, reserved, randomness, shareUnderClip }
    },
  }
}

function requireTerms(
  { clipNorm, noiseMultiplier, expectedClients }: ClientLevelOptions,
  { event }: ReservedEntry,
): void {
  const same =
    event.unit === 'client' &&
    event.relation === 'add-or-remove-one' &&
    event.sampleRate === 1 &&
    event.steps === 1 &&
    event.clipNorm === clipNorm &&
    event.noiseMultiplier === noiseMultiplier
  if (!same) {
    throw new FedsvdError('TERMS_CHANGED', {
      expected: `the terms that were reserved, ${JSON.stringify(event)}`,
      got: JSON.stringify({ unit: 'client', sampleRate: 1, steps: 1, clipNorm, noiseMultiplier }),
      remedy: 'Reserve what is to be run; nothing was drawn.',
    })
  }
  if (!isPositive(expectedClients)) {
    throw new FedsvdError('NOISE_INVALID', {
      expected: 'expectedClients above 0',
      got: String(expectedClients),
      remedy: 'Divide by a public constant, such as the number of clients invited to a round.',
    })
  }
}

function addedBefore(clientId: string): FedsvdError {
  return new FedsvdError('UPDATE_CONFLICT', {
    expected: 'one delta per client and round',
    got: `a second one of ${clientId}`,
    remedy: 'Keep the first; the sensitivity counts each client once.',
  })
}

function closed(): FedsvdError {
  return new FedsvdError('STEP_ORDER', {
    expected: 'deltas first, then finish once',
    got: 'a call after finish',
    remedy: 'Begin another round with a reservation of its own.',
  })
}
