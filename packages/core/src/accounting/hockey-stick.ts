import { lastNotAbove } from '../numeric/index.ts'
import type { Grid, LossSpectrum } from './loss-spectrum.ts'

/**
 * The Fourier transform of the kernel g(x) = e^(-tilt x) (1 - e^-x), x > 0, on a grid: folding a tilted loss
 * distribution with it gives delta(epsilon) = E[(1 - e^(epsilon - L))+] at every lattice point. All lattice points up
 * to infinity are summed, so the grid's periodic images can only add to the result.
 */
export interface Kernel {
  readonly re: Float64Array
  readonly im: Float64Array
  readonly modulus: Float64Array
}

export function kernelOf({ tilt, spacing, size }: Grid): Kernel {
  const modes = size / 2 + 1
  const [re, im, modulus] = [new Float64Array(modes), new Float64Array(modes), new Float64Array(modes)]
  const [slow, fast] = [Math.exp(-tilt * spacing), Math.exp(-(tilt + 1) * spacing)]
  const [slowGap, fastGap] = [-Math.expm1(-tilt * spacing), -Math.expm1(-(tilt + 1) * spacing)]
  for (let k = 0; k < modes; k++) {
    const angle = (2 * Math.PI * k) / size
    const [cos, sin, bend] = [Math.cos(angle), Math.sin(angle), 2 * Math.sin(angle / 2) ** 2]
    // slow z - fast z over (1 - slow z) (1 - fast z), where z = e^(i angle)
    const top = slow * -Math.expm1(-spacing)
    const [aRe, aIm] = [slowGap + slow * bend, -slow * sin]
    const [bRe, bIm] = [fastGap + fast * bend, -fast * sin]
    const [bottomRe, bottomIm] = [aRe * bRe - aIm * bIm, aRe * bIm + aIm * bRe]
    const scale = top / (bottomRe * bottomRe + bottomIm * bottomIm)
    re[k] = scale * (cos * bottomRe + sin * bottomIm)
    im[k] = scale * (sin * bottomRe - cos * bottomIm)
    modulus[k] = Math.hypot(re[k] as number, im[k] as number)
  }
  return { re, im, modulus }
}

/** A mode and its conjugate count twice; the first and the last stand alone. */
function multiplicity(k: number, size: number): number {
  return k === 0 || 2 * k === size ? 1 : 2
}

/** What the modes from `first` on can contribute to the folded sum, at most. */
export function tailOfModes(spectrum: LossSpectrum, kernel: Kernel, { size }: Grid, first: number): number {
  let sum = 0
  for (let k = first; k < spectrum.logCeiling.length; k++) {
    sum += multiplicity(k, size) * Math.exp(spectrum.logCeiling[k] as number) * (kernel.modulus[k] as number)
  }
  return sum / size
}

/**
 * An upper bound on log delta at lattice points, by inverting the spectrum there: `bound(j)` is for epsilon
 * `j * spacing`. `dropped` is what modes not kept can contribute.
 */
export function deltaBound(spectrum: LossSpectrum, kernel: Kernel, grid: Grid, dropped: number): (j: number) => number {
  const { size, tilt, spacing } = grid
  const modes = spectrum.phase.length
  const [re, im] = [new Float64Array(modes), new Float64Array(modes)]
  let doubt = 0
  let total = 0
  for (let k = 0; k < modes; k++) {
    const [low, high] = [spectrum.logModulus[k] as number, spectrum.logCeiling[k] as number]
    const share = (multiplicity(k, size) * Math.exp(low)) / size
    const [cos, sin] = [Math.cos(spectrum.phase[k] as number), Math.sin(spectrum.phase[k] as number)]
    const [gRe, gIm] = [kernel.re[k] as number, kernel.im[k] as number]
    re[k] = share * (cos * gRe - sin * gIm)
    im[k] = share * (cos * gIm + sin * gRe)
    const modulus = kernel.modulus[k] as number
    doubt += (multiplicity(k, size) / size) * Math.exp(high) * -Math.expm1(low - high) * modulus
    total += share * modulus
  }
  const error = doubt + dropped + total * (modes + 32) * 2 ** -53
  const leftOut = -Math.expm1(spectrum.logKept)
  return (j) => {
    let sum = 0
    for (let k = 0; k < modes; k++) {
      const angle = (2 * Math.PI * ((k * j) % size)) / size
      sum += (re[k] as number) * Math.cos(angle) - (im[k] as number) * Math.sin(angle)
    }
    const inside = Math.log(Math.max(0, sum) + error) + spectrum.logScale - tilt * j * spacing + spectrum.massError
    return Math.log(Math.exp(Math.min(0, inside)) + leftOut)
  }
}

/**
 * The smallest epsilon >= 0 at which a bound on delta, given at lattice points and a straight line in e^epsilon between
 * them, is at most `delta`.
 */
export function epsilonAt(bound: (j: number) => number, grid: Grid, delta: number): number {
  const { spacing } = grid
  const excess = (j: number) => bound(j) - Math.log(delta)
  if (excess(0) <= 0) return 0
  let low = Math.max(0, Math.round(grid.epsilon / spacing))
  let atLow = excess(low)
  let [high, atHigh] = [low, atLow]
  for (let stride = 1 + Math.ceil(0.01 * low); atHigh > 0; stride *= 2) {
    ;[low, atLow] = [high, atHigh]
    high += stride
    atHigh = excess(high)
  }
  for (let stride = 1 + Math.ceil(0.01 * low); atLow <= 0; stride *= 2) {
    ;[high, atHigh] = [low, atLow]
    low = Math.max(0, low - stride)
    atLow = excess(low)
  }
  // Counting from the side of too small an epsilon, so that the last point above delta is found.
  const last = lastNotAbove((j) => -excess(j), { low, high, atLow: -atLow, atHigh: -atHigh })
  const [above, below] = [Math.exp(excess(last)), Math.exp(excess(last + 1))]
  return last * spacing + Math.log1p((Math.expm1(spacing) * (above - 1)) / (above - below))
}

/** The bound on log delta at any epsilon >= 0. */
export function logDeltaAt(bound: (j: number) => number, { spacing }: Grid, epsilon: number): number {
  const j = Math.floor(epsilon / spacing)
  const share = Math.expm1(epsilon - j * spacing) / Math.expm1(spacing)
  return Math.log((1 - share) * Math.exp(bound(j)) + share * Math.exp(bound(j + 1)))
}
