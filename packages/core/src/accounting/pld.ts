import type { Accountant } from './accountant.ts'
import { connectTheDots } from './connect-the-dots.ts'
import type { AccountedEvent } from './event.ts'
import { checkDelta, checkEpsilon, checkEvent, LEAST_DELTA, mechanismKey, mergeEvents } from './events.ts'
import { deltaBound, epsilonAt, type Kernel, kernelOf, logDeltaAt, tailOfModes } from './hockey-stick.ts'
import { chooseGrids, type LossGrids } from './loss-grid.ts'
import { compose, emptySpectrum, firstModes, type Grid, type LossSpectrum, spectrumOf } from './loss-spectrum.ts'
import { rdp } from './rdp.ts'

const DIRECTIONS = ['remove', 'add'] as const

/** One direction of a composition: its spectrum at the modes that still matter. */
interface Composed {
  readonly grid: Grid
  readonly kernel: Kernel
  readonly spectrum: LossSpectrum
  /** A bound on what the modes that were dropped contribute. */
  readonly dropped: number
}

type StepSpectra = Readonly<Record<(typeof DIRECTIONS)[number], LossSpectrum>>

interface Composition {
  readonly grids: LossGrids
  readonly remove: Composed
  readonly add: Composed
  /** One-step spectra by mechanism, so that the next round of the same mechanism is one addition. */
  readonly steps: ReadonlyMap<string, StepSpectra>
}

/** A growing ledger: what was recorded, and its composition on a lattice with room for more. */
export interface PldAccount {
  readonly delta: number
  readonly events: ReadonlyMap<string, AccountedEvent>
  readonly composition?: Composition
  /** The growth of the composed loss beyond which the lattice is chosen anew. */
  readonly room: StepRoom
}

type StepRoom = Readonly<Record<(typeof DIRECTIONS)[number], number>>

/**
 * A lattice for a ledger is chosen for this many times its steps, and serves until that is exceeded by as much again.
 */
const HEADROOM = 1.3

/** Modes this far below the largest are dropped, their contribution bounded: e^-60. */
const NEGLIGIBLE_MODE = -60

/** A lattice is chosen anew when epsilon turns out to be below this share of what the lattice was made to resolve. */
const MUCH_LESS = 0.7

/** Spectra kept for re-use; a ledger rarely has more mechanisms than this. */
const MOST_KEPT = 16

/**
 * The tight accountant: the privacy-loss distribution of every step is discretised pessimistically, composed by FFT,
 * and inverted at the epsilon that is read; removal and addition of a record are followed separately and the worse
 * counts.
 *
 * Sources: Koskela, Jaelkoe, Honkela 2020 (Fourier accountant); Doroshenko et al. 2022 (connect the dots); Alghamdi et
 * al. 2023 (tilting to the saddle point). The result exceeds the exact epsilon by about 0.01 % and is never below it:
 * outcomes left out count as infinite loss, periodic images only add, and bounds on the rounding of masses, transform,
 * powers and losses are added to delta or epsilon.
 */
export const pld: Accountant<PldAccount> = {
  name: 'pld',

  epsilonUpperBound(events, delta) {
    checkDelta(delta)
    const merged = mergeEvents(events)
    return merged.length === 0 ? 0 : readEpsilon(resolved(merged, merged, delta), delta)
  },

  deltaUpperBound(events, epsilon) {
    checkEpsilon(epsilon)
    const merged = mergeEvents(events)
    if (merged.length === 0) return 0
    // A lattice serves deltas near the one it was chosen for: start from a cruder bound, and follow it down.
    let bound = rdp.deltaUpperBound(merged, epsilon)
    for (let round = 0; round < 10; round++) {
      const near = Math.min(0.5, Math.max(LEAST_DELTA, bound))
      const tighter = Math.min(bound, readDelta(composed(merged, chooseGrids(merged, near)), epsilon))
      const settled = tighter > 0.9 * near || tighter <= LEAST_DELTA
      bound = tighter
      if (settled) break
    }
    return bound
  },

  init(delta) {
    checkDelta(delta)
    return { delta, events: new Map(), room: { remove: 0, add: 0 } }
  },

  append(account, event) {
    const { delta, composition } = account
    const events = new Map(account.events)
    const key = mechanismKey(event)
    for (const merged of mergeEvents([...(events.has(key) ? [events.get(key) as AccountedEvent] : []), event])) {
      events.set(key, merged)
    }
    const grown = composition && extend(composition, event)
    if (grown && DIRECTIONS.every((direction) => grown[direction].spectrum.logScale <= account.room[direction])) {
      return { ...account, events, composition: grown }
    }
    const all = [...events.values()]
    const roomy = all.map(({ steps, ...mechanism }) => ({ ...mechanism, steps: Math.ceil(HEADROOM * steps) }))
    const fresh = resolved(all, roomy, delta)
    const room = (direction: (typeof DIRECTIONS)[number]) => HEADROOM ** 2 * fresh[direction].spectrum.logScale
    return { delta, events, composition: fresh, room: { remove: room('remove'), add: room('add') } }
  },

  epsilon({ composition, delta }) {
    return composition ? readEpsilon(composition, delta) : 0
  },
}

/** {@link pld} for `groupSize` records together instead of one; see `group-privacy.ts`, which checks its arguments. */
export function groupEpsilon(events: readonly AccountedEvent[], delta: number, groupSize: number): number {
  const merged = mergeEvents(events).map((event) => ({ ...event, groupSize }))
  return merged.length === 0 ? 0 : readEpsilon(resolved(merged, merged, delta), delta)
}

/**
 * The composition of `events` on a lattice chosen for `planned` (these events, and room for more) that is fine enough
 * for the epsilon it is read at: a first bound is followed down, and the composition with the smallest one is kept.
 * Each is a bound, so the smallest is.
 */
function resolved(events: readonly AccountedEvent[], planned: readonly AccountedEvent[], delta: number): Composition {
  let best = composed(events, chooseGrids(planned, delta))
  let epsilon = readEpsilon(best, delta)
  for (let round = 0; round < 3 && epsilon < MUCH_LESS * best.grids.resolved; round++) {
    const finer = composed(events, chooseGrids(planned, delta, epsilon))
    const tighter = readEpsilon(finer, delta)
    if (tighter >= epsilon) break
    ;[best, epsilon] = [finer, tighter]
  }
  return best
}

function composed(events: readonly AccountedEvent[], grids: LossGrids): Composition {
  const empty = (grid: Grid): Composed => ({
    grid,
    kernel: kernelOf(grid),
    spectrum: emptySpectrum(grid.size / 2 + 1),
    dropped: 0,
  })
  const start: Composition = { grids, remove: empty(grids.remove), add: empty(grids.add), steps: new Map() }
  return events.reduce(extend, start)
}

function extend(composition: Composition, event: AccountedEvent): Composition {
  checkEvent(event)
  const key = mechanismKey(event)
  const step = composition.steps.get(key) ?? stepSpectra(composition, event)
  const grow = (part: Composed, one: LossSpectrum) =>
    trimmed({ ...part, spectrum: compose(part.spectrum, one, event.steps) })
  return {
    grids: composition.grids,
    remove: grow(composition.remove, step.remove),
    add: grow(composition.add, step.add),
    steps: new Map([...composition.steps, [key, step] as const].slice(-MOST_KEPT)),
  }
}

function stepSpectra({ grids, remove, add }: Composition, event: AccountedEvent): StepSpectra {
  const lattice = connectTheDots(event, grids.spacing, grids.logTail)
  return {
    remove: spectrumOf(lattice, remove.grid, remove.spectrum.phase.length),
    add: spectrumOf(lattice, add.grid, add.spectrum.phase.length),
  }
}

/** Drops the modes that no longer matter: composing more can only make them smaller. */
function trimmed(part: Composed): Composed {
  const ceiling = part.spectrum.logCeiling
  let modes = ceiling.length
  while (modes > 1 && (ceiling[modes - 1] as number) < NEGLIGIBLE_MODE) modes--
  if (modes === ceiling.length) return part
  const dropped = part.dropped + tailOfModes(part.spectrum, part.kernel, part.grid, modes)
  return { ...part, dropped, spectrum: firstModes(part.spectrum, modes) }
}

function boundOf({ spectrum, kernel, grid, dropped }: Composed): (j: number) => number {
  return deltaBound(spectrum, kernel, grid, dropped)
}

function readEpsilon(composition: Composition, delta: number): number {
  return Math.max(
    ...DIRECTIONS.map((direction) => {
      const part = composition[direction]
      const epsilon = epsilonAt(boundOf(part), part.grid, delta)
      return epsilon === 0 ? 0 : epsilon + part.spectrum.lossRounding
    }),
  )
}

function readDelta(composition: Composition, epsilon: number): number {
  return Math.max(
    ...DIRECTIONS.map((direction) => {
      const part = composition[direction]
      const safe = Math.max(0, epsilon - part.spectrum.lossRounding)
      return Math.min(1, Math.exp(logDeltaAt(boundOf(part), part.grid, safe)))
    }),
  )
}
