import { LogSum } from '../numeric/index.ts'
import type { LogMoment } from './subsampled-gaussian.ts'

/**
 * One step of the Poisson-subsampled Gaussian mechanism as a *group* of k records sees it: how many of them enter a lot
 * is Binomial(k, q), and each that does moves the sum by at most the sensitivity, all in one direction at worst. So
 *
 *   Q = N(0, sigma^2),   P = sum over j of Binomial(k, q; j) N(j, sigma^2)
 *
 * dominates every pair of data sets that differ in those k records, in both directions and under composition (Ganesh
 * 2024, "Tight group-level DP guarantees for DP-SGD with sampling via mixture of Gaussians mechanisms", arXiv
 * 2401.10294). With k = 1 it is the pair of `subsampled-gaussian.ts`.
 */
export interface GroupOfRecords {
  readonly sampleRate: number
  readonly noiseMultiplier: number
  /** k, at least 1 */
  readonly groupSize: number
}

/** Losses beyond this are summed as logarithms. */
const LARGE = 500

/** The loss log(P(x) / Q(x)) of a group and its slope at x; both grow with x. */
export interface GroupLoss {
  lossAt(x: number): number
  slopeAt(x: number): number
  /** The outcome in [low, high] whose loss is `loss`; the nearer end where there is none. */
  outcomeAt(loss: number, low: number, high: number): number
}

export function groupLoss({ sampleRate: q, noiseMultiplier: sigma, groupSize: k }: GroupOfRecords): GroupLoss {
  const variance = sigma * sigma
  const logChance = logBinomialChances(k, q)
  const chance = logChance.map(Math.exp)
  const exponent = (j: number, x: number): number => (j * (2 * x - j)) / (2 * variance)

  const lossAt = (x: number): number => {
    // (2x - j) j is largest at j = x, so this bounds every exponent.
    const largest = exponent(Math.min(k, Math.max(0, x)), x)
    if (largest > LARGE || q === 1) {
      const sum = new LogSum()
      for (let j = 0; j <= k; j++) sum.add(logChance[j]! + exponent(j, x))
      return sum.value()
    }
    let [excess, direct] = [0, chance[0]!]
    for (let j = 1; j <= k; j++) {
      const y = exponent(j, x)
      excess += chance[j]! * Math.expm1(y)
      direct += chance[j]! * Math.exp(y)
    }
    return excess < -0.5 ? Math.log(direct) : Math.log1p(excess)
  }
  const slopeAt = (x: number): number => {
    const loss = lossAt(x)
    let slope = 0
    for (let j = 1; j <= k; j++) slope += j * Math.exp(logChance[j]! + exponent(j, x) - loss)
    return slope / variance
  }
  return {
    lossAt,
    slopeAt,
    outcomeAt(loss, low, high) {
      if (lossAt(low) >= loss) return low
      if (lossAt(high) <= loss) return high
      let [below, above] = [low, high]
      let x = low
      for (let round = 0; round < 200; round++) {
        const gap = lossAt(x) - loss
        if (Math.abs(gap) <= 2 ** -50 * (1 + Math.abs(loss))) break
        if (gap < 0) below = x
        else above = x
        // Newton's step, where it stays inside the bracket.
        const next = x - gap / slopeAt(x)
        x = next > below && next < above ? next : (below + above) / 2
        if (x <= below || x >= above) break
      }
      return x
    },
  }
}

/**
 * log E_Q[(P/Q)^s] of a group over the outcomes in `range`, which is finite. It serves to plan a lattice and not to
 * bound: the trapezoid rule, to about six digits.
 */
export function groupLogMoment(group: GroupOfRecords, range: readonly [number, number]): LogMoment {
  const { noiseMultiplier: sigma } = group
  const step = Math.min(sigma / 8, (sigma * sigma) / (2 * group.groupSize))
  const { lossAt } = groupLoss(group)
  const nodes = Array.from({ length: Math.ceil((range[1] - range[0]) / step) + 1 }, (_, i) => {
    const x = range[0] + i * step
    return {
      loss: lossAt(x),
      logWeight: Math.log(step / (sigma * Math.sqrt(2 * Math.PI))) - (x * x) / (2 * sigma * sigma),
    }
  })
  return (s) => {
    if (s === 0 || s === 1) return 0
    // E[(P/Q)^s] - 1 as a sum of terms that are never negative (Bernoulli), as in `subsampled-gaussian.ts`.
    let near = 0
    const far = new LogSum()
    for (const { loss, logWeight } of nodes) {
      const power = s * loss
      if (power < 300 && loss < 300) near += Math.max(0, Math.expm1(power) - s * Math.expm1(loss)) * Math.exp(logWeight)
      else if (s > 0) far.add(power + logWeight)
    }
    const large = far.value()
    return large > 300 ? large : Math.log1p(near + Math.exp(large))
  }
}

/** log of Binomial(k, q; j) for j = 0 .. k; -Infinity where it is impossible. */
export function logBinomialChances(k: number, q: number): readonly number[] {
  const [logIn, logOut] = [Math.log(q), Math.log1p(-q)]
  let logChoose = 0
  return Array.from({ length: k + 1 }, (_, j) => {
    if (j > 0) logChoose += Math.log((k - j + 1) / j)
    return logChoose + (j === 0 ? 0 : j * logIn) + (j === k ? 0 : (k - j) * logOut)
  })
}
