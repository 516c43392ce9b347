import type { Accountant, AccountedEvent } from '../accounting/index.ts'

/** One promise: the mechanism is (epsilon, delta)-DP under adding or removing one record. */
export interface PrivacyPoint {
  readonly epsilon: number
  readonly delta: number
}

/** Promises that hold together. Fewer points, or larger deltas, are a weaker claim. */
export type PrivacyCurve = readonly PrivacyPoint[]

const POINTS = 48
const REACH = 1.5

/**
 * What an accountant claims of some events: (epsilon at `delta`, delta) first, then deltas at 48 epsilons from 0 to 1.5
 * times that. A claim of one point says little about a Gaussian mechanism; the curve says nearly everything.
 *
 * @throws FedsvdError as the accountant does, for bad events or delta
 */
export function claimedCurve(
  accountant: Pick<Accountant, 'epsilonUpperBound' | 'deltaUpperBound'>,
  events: readonly AccountedEvent[],
  delta: number,
): PrivacyCurve {
  const epsilon = accountant.epsilonUpperBound(events, delta)
  const others = Array.from({ length: POINTS }, (_, i) => (epsilon * REACH * i) / (POINTS - 1))
  return [{ epsilon, delta }, ...others.map((at) => ({ epsilon: at, delta: accountant.deltaUpperBound(events, at) }))]
}

const ULPS = 8 * 2 ** -53

/**
 * The least chance of an event without a record that goes with a chance y of it with the record: the inverse of
 * x -> min over the points of min(delta + e^epsilon x, 1 - e^-epsilon (1 - delta - x)). Convex, growing, 0 at 0.
 *
 * The steep branch cancels where it is close to 0, so its rounding is taken off: the result is never too large by more
 * than a relative 2^-50.
 */
export function leastWithout(curve: PrivacyCurve): (y: number) => number {
  const growth = Float64Array.from(curve, ({ epsilon }) => Math.exp(epsilon))
  const deltas = Float64Array.from(curve, ({ delta }) => delta)
  const offsets = Float64Array.from(curve, ({ epsilon, delta }, j) => -Math.expm1(epsilon) - delta - ULPS * growth[j]!)
  return (y) => {
    let least = 0
    for (let j = 0; j < growth.length; j++) {
      const steep = offsets[j]! + y * growth[j]!
      const flat = (y - deltas[j]!) / growth[j]!
      if (steep > least) least = steep
      if (flat > least) least = flat
    }
    return least
  }
}
