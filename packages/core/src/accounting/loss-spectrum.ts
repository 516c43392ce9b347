import { fourierError, logSumExp, realFourier } from '../numeric/index.ts'
import { type LossLattice, MASS_ERROR } from './connect-the-dots.ts'
import type { Direction } from './saddle-point.ts'

/**
 * The lattice on which a composition is computed, in one direction: losses j * spacing, folded with period `size`, each
 * weighted by e^(tilt * loss) so that the mass sits where the bound is read.
 */
export interface Grid {
  readonly direction: Direction
  readonly spacing: number
  readonly size: number
  readonly tilt: number
  /** The first estimate of epsilon, at which reading starts. */
  readonly epsilon: number
  /** Fourier transform at the grid's own size. */
  readonly fourier: (sequence: Float64Array) => Float64Array
}

export function gridOf(settings: Omit<Grid, 'fourier'>): Grid {
  return { ...settings, fourier: realFourier(settings.size) }
}

/**
 * The characteristic function of a tilted privacy-loss distribution at the grid's first modes, in polar form, so that
 * composing is adding. `logCeiling` bounds the log modulus of the exact characteristic function and of the computed
 * one; the distance between the two is what floating-point arithmetic may have done.
 */
export interface LossSpectrum {
  readonly logModulus: Float64Array
  readonly phase: Float64Array
  readonly logCeiling: Float64Array
  /** log of E[e^(tilt L)] over the lattice, by which the tilted masses were divided. */
  readonly logScale: number
  /** log of the probability that no loss was left out of the lattice. */
  readonly logKept: number
  /** A bound on what rounding may have taken from the loss. */
  readonly lossRounding: number
  /** A bound on log(exact / computed) of the masses. */
  readonly massError: number
}

/** Covers, per step and mode, the rounding of logarithms, phases and their sums. */
const ARITHMETIC = 2 ** -44

/** The composition of nothing. */
export function emptySpectrum(modes: number): LossSpectrum {
  return {
    logModulus: new Float64Array(modes),
    phase: new Float64Array(modes),
    logCeiling: new Float64Array(modes),
    logScale: 0,
    logKept: 0,
    lossRounding: 0,
    massError: 0,
  }
}

/** The first `modes` modes of one step. */
export function spectrumOf(lattice: LossLattice, grid: Grid, modes: number): LossSpectrum {
  const { size, tilt, spacing } = grid
  const sign = grid.direction === 'remove' ? 1 : -1
  const slope = (grid.direction === 'remove' ? tilt : -1 - tilt) * spacing
  const logWeights = lattice.mass.map((mass, i) => Math.log(mass) + slope * (lattice.first + i))
  const logScale = logSumExp(logWeights)

  const folded = new Float64Array(size)
  logWeights.forEach((logWeight, i) => {
    const position = sign * (lattice.first + i)
    const j = ((position % size) + size) % size
    folded[j] = (folded[j] as number) + Math.exp(logWeight - logScale)
  })
  const norm = Math.sqrt(folded.reduce((sum, weight) => sum + weight * weight, 0))
  const error = fourierError(size, norm) + ARITHMETIC

  const transform = grid.fourier(folded)
  const spectrum = emptySpectrum(modes)
  for (let k = 0; k < modes; k++) {
    const [re, im] = [transform[2 * k] as number, transform[2 * k + 1] as number]
    const modulus = Math.sqrt(re * re + im * im)
    spectrum.logModulus[k] = Math.log(modulus)
    spectrum.phase[k] = Math.atan2(im, re)
    spectrum.logCeiling[k] = Math.log(modulus + error)
  }
  return {
    ...spectrum,
    logScale,
    logKept: Math.log1p(-lattice.leftOut),
    lossRounding: lattice.lossRounding,
    massError: MASS_ERROR,
  }
}

/** `base` followed by `steps` independent repetitions of `step`, at the modes of `base`. */
export function compose(base: LossSpectrum, step: LossSpectrum, steps: number): LossSpectrum {
  const add = (a: Float64Array, b: Float64Array) => a.map((value, k) => value + steps * (b[k] as number))
  return {
    logModulus: add(base.logModulus, step.logModulus),
    phase: add(base.phase, step.phase).map((angle) => angle - TURN * Math.round(angle / TURN)),
    logCeiling: add(base.logCeiling, step.logCeiling),
    logScale: base.logScale + steps * step.logScale,
    logKept: base.logKept + steps * step.logKept,
    lossRounding: base.lossRounding + steps * step.lossRounding,
    massError: base.massError + steps * step.massError,
  }
}

const TURN = 2 * Math.PI

/** The same composition known at its first modes only. */
export function firstModes(spectrum: LossSpectrum, modes: number): LossSpectrum {
  return {
    ...spectrum,
    logModulus: spectrum.logModulus.slice(0, modes),
    phase: spectrum.phase.slice(0, modes),
    logCeiling: spectrum.logCeiling.slice(0, modes),
  }
}
