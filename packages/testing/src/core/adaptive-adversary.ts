/**
 * The privacy that is truly lost to an adversary who chooses each event after seeing all earlier results: exact up to
 * the resolution of a lattice, by backward induction over the privacy loss so far. Shares nothing with the accountants.
 */

import type { AccountedEvent } from '@fedsvd/core/accounting'
import FFT from 'fft.js'

/** `remove`: results come from the data with the record, and are held against those without it. `add`: the reverse. */
const DIRECTIONS = ['remove', 'add'] as const
type Direction = (typeof DIRECTIONS)[number]

/** Losses from -SPAN to SPAN, `SPACING` apart. */
const SPACING = 1 / 128
const SPAN = 32
const SIZE = (2 * SPAN) / SPACING
const lossAt = (i: number): number => (i - SIZE / 2) * SPACING

/** A function of the privacy loss, on the lattice. */
type OnLattice = Float64Array

/** A fixed list of events that the adversary may ask for, and what it may do once it has seen the results. */
export interface Move {
  readonly events: readonly AccountedEvent[]
  readonly next: readonly Move[]
}

/**
 * The largest delta at `epsilon` that any strategy in the game reaches, stopping early included, in the worse
 * direction. Moves that lead to one and the same list of moves are looked through once. The lattice adds some 1e-4 of
 * it.
 */
export function gameDelta(moves: readonly Move[], epsilon: number): number {
  const atNoLoss = SIZE / 2
  return Math.max(
    ...DIRECTIONS.map((direction) => value(moves, payoff(epsilon), direction, new Map())[atNoLoss] as number),
  )
}

/** For each loss so far, the expected `stop` at the end of the best play from here. */
function value(
  moves: readonly Move[],
  stop: OnLattice,
  direction: Direction,
  known: Map<readonly Move[], OnLattice>,
): OnLattice {
  let best = known.get(moves)
  if (best !== undefined) return best
  const plays = moves.map(({ events, next }) => expected(value(next, stop, direction, known), events, direction))
  best = stop.map((now, i) => Math.max(now, ...plays.map((play) => play[i] as number)))
  known.set(moves, best)
  return best
}

/** What the adversary has at the end: (1 - e^(epsilon - loss))+ at every lattice point. */
function payoff(epsilon: number): OnLattice {
  return Float64Array.from({ length: SIZE }, (_, i) => Math.max(0, -Math.expm1(epsilon - lossAt(i))))
}

/** E[f(loss + L)] at every lattice point, L the loss of `events`; beyond the lattice f is 1 above and 0 below. */
function expected(f: OnLattice, events: readonly AccountedEvent[], direction: Direction): OnLattice {
  const masses = spectrum(events, direction)
  // Folded on twice the length, so that what is below or above the lattice does not wrap around.
  const padded = new Float64Array(2 * SIZE)
  for (let i = 0; i < 2 * SIZE; i++) padded[i] = i < SIZE / 2 ? 0 : i < (3 * SIZE) / 2 ? (f[i - SIZE / 2] as number) : 1
  const values = transform(padded)
  const product = new Float64Array(values.length)
  for (let k = 0; k < product.length; k += 2) {
    // the conjugate of the masses: a correlation
    const [a, b, c, d] = [values[k]!, values[k + 1]!, masses[k]!, -masses[k + 1]!]
    product[k] = a * c - b * d
    product[k + 1] = a * d + b * c
  }
  const folded = inverse(product)
  return Float64Array.from({ length: SIZE }, (_, i) => Math.min(1, Math.max(0, folded[i + SIZE / 2] as number)))
}

const fourier = new FFT(2 * SIZE)
type Spectrum = number[] | Float64Array

function transform(real: Float64Array): Spectrum {
  const out = fourier.createComplexArray()
  fourier.transform(out, fourier.toComplexArray(Array.from(real), fourier.createComplexArray()))
  return out
}

function inverse(complex: Spectrum): Float64Array {
  const out = fourier.createComplexArray()
  fourier.inverseTransform(out, complex)
  return Float64Array.from({ length: 2 * SIZE }, (_, i) => out[2 * i] as number)
}

/** Transform of the distribution of the loss of `events`, loss 0 at index 0. */
function spectrum(events: readonly AccountedEvent[], direction: Direction): Spectrum {
  const total = new Float64Array(4 * SIZE)
  for (let k = 0; k < total.length; k += 2) total[k] = 1
  for (const event of events) {
    const one = transform(lossOfStep(event, direction))
    for (let k = 0; k < total.length; k += 2) {
      const modulus = Math.hypot(one[k]!, one[k + 1]!) ** event.steps
      const phase = Math.atan2(one[k + 1]!, one[k]!) * event.steps
      const [re, im] = [total[k]!, total[k + 1]!]
      total[k] = modulus * (re * Math.cos(phase) - im * Math.sin(phase))
      total[k + 1] = modulus * (re * Math.sin(phase) + im * Math.cos(phase))
    }
  }
  return total
}

/** The loss of one step; each mass is shared between its two neighbours on the lattice, which keeps its mean. */
function lossOfStep({ sampleRate: q, noiseMultiplier: sigma }: AccountedEvent, direction: Direction): Float64Array {
  const masses = new Float64Array(2 * SIZE)
  const step = sigma / 400
  for (let x = -12 * sigma; x < 12 * sigma + 1; x += step) {
    const logRatio = Math.log1p(q * Math.expm1((2 * x - 1) / (2 * sigma * sigma)))
    const without = (step / (sigma * Math.sqrt(2 * Math.PI))) * Math.exp((-x * x) / (2 * sigma * sigma))
    const [loss, mass] = direction === 'remove' ? [logRatio, without * Math.exp(logRatio)] : [-logRatio, without]
    const place = loss / SPACING
    const below = Math.floor(place)
    if (Math.abs(below) >= SIZE / 2) continue
    masses[(below + 2 * SIZE) % (2 * SIZE)]! += mass * (1 - place + below)
    masses[(below + 1 + 2 * SIZE) % (2 * SIZE)]! += mass * (place - below)
  }
  return masses
}
