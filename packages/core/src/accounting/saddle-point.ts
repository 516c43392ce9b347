import type { AccountedEvent } from './event.ts'
import { groupLogMoment } from './group-of-records.ts'
import { type LogMoment, logMomentOf, outcomeRange, type SubsampledGaussian } from './subsampled-gaussian.ts'

/** Which record's loss is followed: that of removing one, or that of adding one. The worse of the two counts. */
export type Direction = 'remove' | 'add'

/** K(s) = log E[e^(s L)] of the composed privacy loss L, for s > 0. */
export type CumulantFunction = (s: number) => number

/** The tilt at which a composed loss has to be resolved, with an estimate (not a bound) of epsilon there. */
export interface SaddlePoint {
  readonly tilt: number
  readonly epsilon: number
}

/**
 * The cumulant functions of a composition in both directions, without the outcomes whose probability in one step is
 * below e^`logTail`.
 */
export function cumulantFunctions(
  events: readonly AccountedEvent[],
  logTail: number,
): Record<Direction, CumulantFunction> {
  const parts = events.map((event) => ({
    logMoment: logMomentWithin(event, outcomeRange(event, logTail)),
    steps: event.steps,
  }))
  const sum = (order: number) => parts.reduce((total, { logMoment, steps }) => total + steps * logMoment(order), 0)
  return { remove: (s) => sum(1 + s), add: (s) => sum(-s) }
}

function logMomentWithin(mechanism: SubsampledGaussian, range: [number, number]): LogMoment {
  const { sampleRate, noiseMultiplier, groupSize = 1 } = mechanism
  return groupSize > 1
    ? groupLogMoment({ sampleRate, noiseMultiplier, groupSize }, range)
    : logMomentOf(mechanism, range)
}

const TILT_RANGE = { least: 1e-6, most: 1e12 } as const

/** Estimates taken as good enough: log(delta) known to this within the bracket of tilts. */
const CLOSE = 0.05

/**
 * The saddle point of delta(epsilon) = 1 / 2 pi i times the integral of e^(K(s) - s epsilon) / (s (s + 1)) ds: the tilt
 * s at which the loss, weighted by e^(s L), is centred on the outcomes that decide delta. Every tilt gives a valid
 * bound; this one keeps the FFT's absolute error small relative to delta, however small delta is.
 *
 * Where a small sample rate makes K' jump from the outcomes without the record to those with it, the saddle point is
 * the jump itself, and the bracket closes on it.
 */
export function saddlePoint(k: CumulantFunction, delta: number): SaddlePoint {
  const at = (tilt: number) => {
    const step = 1e-3 * tilt
    const [before, value, after] = [k(tilt - step), k(tilt), k(tilt + step)]
    const epsilon = (after - before) / (2 * step) - 1 / tilt - 1 / (tilt + 1)
    const curvature = Math.max(0, (after - 2 * value + before) / (step * step))
    const width = curvature + 1 / tilt ** 2 + 1 / (tilt + 1) ** 2
    const logPrefactor = value - Math.log(tilt) - Math.log1p(tilt) - 0.5 * Math.log(2 * Math.PI * width)
    return { tilt, epsilon, logPrefactor, logDelta: logPrefactor - tilt * epsilon }
  }
  const reached = (point: ReturnType<typeof at>) => point.epsilon >= 0 && point.logDelta <= Math.log(delta)

  let low = at(1)
  while (low.tilt > TILT_RANGE.least && reached(low)) low = at(low.tilt / 4)
  let high = low
  while (high.tilt < TILT_RANGE.most && !reached(high)) {
    low = high
    high = at(high.tilt * 4)
  }
  for (let round = 0; round < 40 && high.tilt - low.tilt > 1e-9 * low.tilt; round++) {
    if (round > 3 && Math.abs(high.logDelta - low.logDelta) < CLOSE * Math.max(1, -high.logDelta)) break
    const middle = at(Math.sqrt(low.tilt * high.tilt))
    if (reached(middle)) high = middle
    else low = middle
  }
  const { tilt, logPrefactor } = low
  return { tilt, epsilon: Math.max(0, (logPrefactor - Math.log(delta)) / tilt) }
}

/** Tilted outcomes beyond a period have less than e^-14 of the whole, by Chernoff's bound. */
const NEGLIGIBLE = 14

/**
 * How long a lattice must be before it repeats, so that its periodic images change a bound by a negligible share: all
 * of the span in which the loss, tilted as at `point`, has mass that matters. Wherever in that span the bound is read,
 * the images fall outside it; so the result does not hang on the estimate of epsilon, which may be far off where K'
 * jumps.
 */
export function period(k: CumulantFunction, { tilt, epsilon }: SaddlePoint): number {
  const value = k(tilt)
  let [above, below] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let change = 16; change > 1e-3; change /= 2) {
    const up = tilt * (1 + change)
    above = Math.min(above, (k(up) - value + NEGLIGIBLE) / (up - tilt) - epsilon)
    const down = tilt / (1 + change)
    below = Math.min(below, epsilon + (k(down) - value + NEGLIGIBLE) / (tilt - down))
  }
  return Math.max(above + below, NEGLIGIBLE / tilt) + 3 / tilt
}
