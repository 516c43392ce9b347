import { GAUSS_3, GAUSS_5 } from '../numeric/index.ts'
import { groupLoss } from './group-of-records.ts'
import { outcomeRange, type SubsampledGaussian } from './subsampled-gaussian.ts'

/**
 * A privacy-loss distribution on the lattice of multiples of `spacing` that is at least as bad, in both directions, as
 * the mechanism it stands for.
 *
 * `mass[i]` is the probability under P (with the record) of the loss `(first + i) * spacing`. Under Q (without it) that
 * point has probability `mass[i] e^(-loss)`, and the loss of adding a record is the negated one.
 */
export interface LossLattice {
  readonly spacing: number
  readonly first: number
  readonly mass: Float64Array
  /** Probability, under either distribution, of an outcome left out of the lattice: counted as an infinite loss. */
  readonly leftOut: number
  /** How far rounding may have moved any single loss. */
  readonly lossRounding: number
}

/** Bound on the relative error of a mass: quadrature, exponentials and sums of positive terms. */
export const MASS_ERROR = 1e-11

/** log(P(x) / Q(x)) of one step. */
function lossAt({ sampleRate: q, noiseMultiplier: sigma }: SubsampledGaussian, x: number): number {
  const y = (2 * x - 1) / (2 * sigma * sigma)
  if (q === 1) return y
  if (y > 500) return Math.log(q) + y
  return q > 0.5 ? Math.log(1 - q + q * Math.exp(y)) : Math.log1p(q * Math.expm1(y))
}

/** log((e^loss - (1 - q)) / q), in the form that loses no digits. */
function unsampledLoss(q: number, loss: number): number {
  if (loss > 500) return loss - Math.log(q)
  return q > 0.5 ? Math.log((Math.exp(loss) - (1 - q)) / q) : Math.log1p(Math.expm1(loss) / q)
}

/** The outcome whose loss is `loss`: the inverse of `lossAt`, -Infinity below the smallest possible loss. */
function outcomeAt({ sampleRate: q, noiseMultiplier: sigma }: SubsampledGaussian, loss: number): number {
  if (q === 1) return sigma * sigma * loss + 0.5
  if (loss <= Math.log1p(-q)) return Number.NEGATIVE_INFINITY
  return sigma * sigma * unsampledLoss(q, loss) + 0.5
}

/** The loss of a step and its inverse within [low, high]: of one record, or of a group of them. */
function lossOf(mechanism: SubsampledGaussian): {
  lossAt(x: number): number
  outcomeAt(loss: number, low: number, high: number): number
} {
  const { sampleRate, noiseMultiplier, groupSize = 1 } = mechanism
  if (groupSize > 1) return groupLoss({ sampleRate, noiseMultiplier, groupSize })
  return {
    lossAt: (x) => lossAt(mechanism, x),
    outcomeAt: (loss, low, high) => Math.max(low, Math.min(high, outcomeAt(mechanism, loss))),
  }
}

/** The losses between which all but e^`logTail` of either distribution lies. */
export function lossRange(mechanism: SubsampledGaussian, logTail: number): [number, number] {
  const [lowest, highest] = outcomeRange(mechanism, logTail)
  const loss = lossOf(mechanism)
  return [loss.lossAt(lowest), loss.lossAt(highest)]
}

/**
 * Discretises one step by connecting the dots (Doroshenko, Ghazi, Kamath, Kumar, Manurangsi 2022): the outcomes whose
 * loss lies between two lattice points are moved to those two points such that their probabilities under P and under Q
 * both stay what they were. The hockey-stick divergence of the result equals the mechanism's at every lattice point and
 * lies above it elsewhere, so every bound computed from it holds; the excess vanishes with the square of the spacing.
 *
 * All masses are integrals of positive terms, so that they are accurate relatively, deep into the tails.
 *
 * @param logTail log of the probability that may be left out, for instance log(delta / steps) - 14
 */
export function connectTheDots(mechanism: SubsampledGaussian, spacing: number, logTail: number): LossLattice {
  const { noiseMultiplier: sigma, groupSize = 1 } = mechanism
  const { lossAt, outcomeAt } = lossOf(mechanism)
  const variance = sigma * sigma
  const [lowest, highest] = outcomeRange(mechanism, logTail)
  const first = Math.floor(lossAt(lowest) / spacing)
  const last = Math.max(first + 1, Math.ceil(lossAt(highest) / spacing))
  const mass = new Float64Array(last - first + 1)
  const density = 1 / (sigma * Math.sqrt(2 * Math.PI))
  const upperShare = 1 / -Math.expm1(-spacing)

  let left = lowest
  for (let i = 0; i < last - first; i++) {
    const loss = (first + i) * spacing
    const right = i + 1 === last - first ? highest : outcomeAt(loss + spacing, left, highest)
    const width = right - left
    const roughness =
      (width / sigma) * (1 + Math.max(Math.abs(left), Math.abs(right)) / sigma) + (groupSize * width) / variance
    const panels = Math.max(1, Math.ceil(roughness))
    const { nodes, weights } = roughness < 0.05 ? GAUSS_3 : GAUSS_5
    let all = 0
    let up = 0
    for (let panel = 0; panel < panels; panel++) {
      for (let k = 0; k < nodes.length; k++) {
        const x = left + (width * (panel + (nodes[k] as number))) / panels
        const lossHere = lossAt(x)
        const probability = (weights[k] as number) * Math.exp(lossHere - (x * x) / (2 * variance))
        all += probability
        up += probability * Math.min(1, Math.max(0, -Math.expm1(loss - lossHere) * upperShare))
      }
    }
    const scale = (density * width) / panels
    mass[i] = (mass[i] as number) + scale * (all - up)
    mass[i + 1] = scale * up
    left = right
  }

  const steepest = (groupSize * (Math.max(-lowest, highest) + groupSize)) / variance
  const largest = spacing * Math.max(Math.abs(first), Math.abs(last))
  return { spacing, first, mass, leftOut: Math.exp(logTail), lossRounding: 2 ** -50 * (1 + steepest + largest) }
}
