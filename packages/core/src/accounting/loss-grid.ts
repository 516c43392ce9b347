import { lossRange } from './connect-the-dots.ts'
import type { AccountedEvent } from './event.ts'
import { type Grid, gridOf } from './loss-spectrum.ts'
import { cumulantFunctions, type Direction, period, saddlePoint } from './saddle-point.ts'

/** Where and how finely the losses of a composition are resolved. */
export interface LossGrids {
  readonly spacing: number
  /** The epsilon for whose size the spacing was chosen. */
  readonly resolved: number
  /** log of the probability that one step may leave out of the lattice. */
  readonly logTail: number
  readonly remove: Grid
  readonly add: Grid
}

/** The share of epsilon that discretisation may cost. */
const DISCRETISATION_COST = 2.5e-5

/** The share of delta, e^-14, that may go to outcomes left out of the lattice. */
const LEFT_OUT = 14

/** Sizes within which time and memory stay bounded; where they bind, the bound is looser but still a bound. */
const LEAST_RESOLVED = 1e-5
const SIZE = { least: 64, most: 2 ** 20 } as const
const MOST_CELLS = 2 ** 21

/**
 * Chooses the lattice for a composition of merged events that is to be read near `delta`.
 *
 * Connecting the dots raises E[e^(s L)] of one step by s (s + 1) spacing^2 / 12 at most (the spread within a cell),
 * which raises epsilon by (s + 1) spacing^2 / 12 a step at the saddle point s: solved here for the spacing. The sizes
 * come from the periods within which the tilted loss lives.
 *
 * @param atMost a bound on epsilon that is known already. The estimate at the saddle point can be hundreds of times too
 *   large where a small sample rate makes K' jump, and the spacing would then be wider than what it has to resolve.
 */
export function chooseGrids(
  events: readonly AccountedEvent[],
  delta: number,
  atMost = Number.POSITIVE_INFINITY,
): LossGrids {
  const steps = events.reduce((sum, event) => sum + event.steps, 0)
  const logTail = Math.log(delta) - Math.log(steps) - LEFT_OUT
  const widest = Math.max(...events.map((event) => lossRange(event, logTail)).map(([low, high]) => high - low))

  const cumulant = cumulantFunctions(events, logTail)
  const found = { remove: saddlePoint(cumulant.remove, delta), add: saddlePoint(cumulant.add, delta) }
  const { tilt, epsilon } = found.remove.epsilon >= found.add.epsilon ? found.remove : found.add
  const resolved = Math.max(LEAST_RESOLVED, Math.min(Math.max(epsilon, 1 / tilt), atMost))
  const spacing = Math.max(
    Math.sqrt((12 * DISCRETISATION_COST * resolved) / (steps * (tilt + 1))),
    period(cumulant.remove, found.remove) / SIZE.most,
    period(cumulant.add, found.add) / SIZE.most,
    widest / MOST_CELLS,
  )
  const grid = (direction: Direction): Grid => {
    // A tilt that varies within one cell would only magnify the discretisation.
    const point = { ...found[direction], tilt: Math.min(found[direction].tilt, 1 / spacing) }
    const cells = period(cumulant[direction], point) / spacing
    const size = Math.min(SIZE.most, Math.max(SIZE.least, 2 ** Math.ceil(Math.log2(cells))))
    return gridOf({ direction, spacing, size, ...point })
  }
  return { spacing, resolved, logTail, remove: grid('remove'), add: grid('add') }
}
