import { GAUSS_5, LogSum, logAddExp } from '../numeric/index.ts'

/**
 * Moments of the Poisson-subsampled Gaussian mechanism, for one step with unit sensitivity.
 *
 * Without the extra record the output is Q = N(0, sigma^2); with it, P = (1 - q) N(0, sigma^2) + q N(1, sigma^2). This
 * one-dimensional pair dominates every pair of neighbours (Mironov, Talwar, Zhang 2019, section 3; Zhu, Dong, Wang
 * 2022). Everything that an accountant needs follows from L(x) = log(P(x) / Q(x)) and the moments E_Q[e^(s L)]:
 * removing a record costs E_Q[e^(alpha L)], adding one costs E_Q[e^((1 - alpha) L)].
 */
export interface SubsampledGaussian {
  readonly sampleRate: number
  readonly noiseMultiplier: number
  /** Follows the loss of that many records together, see `group-of-records.ts`; 1 where it is absent. */
  readonly groupSize?: number
}

/** The outcomes outside which less than e^`logTail` of either distribution lies. */
export function outcomeRange(
  { noiseMultiplier: sigma, groupSize = 1 }: SubsampledGaussian,
  logTail: number,
): [number, number] {
  const sigmas = Math.sqrt(-2 * logTail)
  return [-sigma * sigmas, groupSize + sigma * sigmas]
}

/** Tails beyond this many standard deviations are below e^-72 of the integral and are left out. */
const TAIL_SIGMAS = 12

/** The trapezoid rule's own relative error is kept below e^-45. */
const ALIASING_EXPONENT = 45

/**
 * Step of the trapezoid rule for integrals of N(x; 0, sigma^2) (P/Q)^s.
 *
 * For s >= 1 the integrand is analytic in the strip |Im x| < pi sigma^2, where its modulus grows by at most
 * e^(a^2 / 2 sigma^2); the rule with step h therefore errs by less than 2 e^(a^2 / 2 sigma^2 - 2 pi a / h), relatively,
 * for every a inside the strip. The best a is 2 pi sigma^2 / h where that is inside (h >= 2), else the edge: solved for
 * h.
 */
function trapezoidStep(sigma: number): number {
  const wide = Math.sqrt((2 * Math.PI ** 2) / ALIASING_EXPONENT) * sigma
  return wide >= 2 ? wide : 2 / (ALIASING_EXPONENT / (Math.PI * sigma) ** 2 + 0.5)
}

/** log E_Q[(P/Q)^s] as a function of the order s, for s >= 1 or s <= 0. */
export type LogMoment = (s: number) => number

/** The integrand's ingredients at one x: the same for every order. */
interface Node {
  readonly x: number
  /** P/Q - 1 */
  readonly u: number
  /** log(P/Q) */
  readonly logRatio: number
  /** e^(-x^2 / 2 sigma^2) */
  readonly weight: number
}

/** Nodes nearer to 0 than this many steps are kept for other orders. */
const MOST_KEPT = 8192

/**
 * The log-moment function of a mechanism, for any real order s >= 1 or s <= 0, integer or not: log E_Q[(P/Q)^s] is
 * (s - 1) times the Renyi divergence of order s. Orders of at least 1 are accurate to 1e-12, relatively; the negative
 * ones, which serve to plan a lattice and not to bound, somewhat less.
 *
 * Because E_Q[P/Q - 1] = 0, the moment minus one is the integral of (1 + u)^s - 1 - s u with u = P/Q - 1, which is
 * never negative (Bernoulli): summing it loses no digits, however small the sample rate. The nodes of the trapezoid
 * rule do not depend on s and are computed once.
 *
 * @param range leaves out the outcomes outside it, as a lattice does: without them, an order that is large for its
 *   noise is not drawn to outcomes that are too improbable to matter
 * @returns a function whose values are at least 0, and 0 at s = 0 and s = 1.
 */
export function logMomentOf(
  { sampleRate: q, noiseMultiplier: sigma }: SubsampledGaussian,
  range: readonly [number, number] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
): LogMoment {
  const variance = sigma * sigma
  if (q === 1) return (s) => (s * (s - 1)) / (2 * variance)

  const step = trapezoidStep(sigma)
  const logNormaliser = Math.log(step / sigma) - 0.5 * Math.log(2 * Math.PI)
  const kept = new Map<number, Node>()
  const nodeAt = (x: number): Node => {
    const y = (2 * x - 1) / (2 * variance)
    const logRatio = y > 500 ? Math.log(q) + y : Math.log1p(q * Math.expm1(y))
    return { x, u: q * Math.expm1(y), logRatio, weight: Math.exp((-x * x) / (2 * variance)) }
  }
  const node = (i: number): Node => {
    let found = kept.get(i)
    if (!found) {
      found = nodeAt(i * step)
      if (Math.abs(i) < MOST_KEPT) kept.set(i, found)
    }
    return found
  }

  const logPower = (x: number, s: number) => s * nodeAt(x).logRatio - (x * x) / (2 * variance)
  const logExcessAt = ({ u, logRatio, x }: Node, s: number): number => {
    const power = s * logRatio
    if (u < 0) return power
    const logU = u < 1e300 ? Math.log(u) : Math.log(q) + (2 * x - 1) / (2 * variance)
    if (s < 0) return Math.log(-s) + logU
    return power + Math.log1p(-Math.exp(Math.log(s) + logU + Math.log1p(Math.exp(-logU) / s) - power))
  }

  return (s) => {
    if (s === 0 || s === 1) return 0
    let near = 0
    const far = new LogSum()
    const add = (here: Node, share: number) => {
      const power = s * here.logRatio
      if (Math.abs(here.u) < 0.1 && Math.abs(s * here.u) < 0.1) near += share * bernoulliSeries(here.u, s) * here.weight
      else if (power < 300 && here.u < 1e100) near += share * (Math.expm1(power) - s * here.u) * here.weight
      else far.add(Math.log(share) + logExcessAt(here, s) - (here.x * here.x) / (2 * variance))
    }
    const addGap = (from: number, to: number) => {
      if (!(from < to)) return
      GAUSS_5.nodes.forEach((t, k) => {
        add(nodeAt(from + t * (to - from)), ((GAUSS_5.weights[k] as number) * (to - from)) / step)
      })
    }
    for (const [first, last] of windows(sigma, s, q, range, (x) => logPower(x, s))) {
      const [from, to] = [Math.ceil(first / step), Math.floor(last / step)]
      const [cutFirst, cutLast] = [first === range[0], last === range[1]]
      for (let i = from; i <= to; i++) add(node(i), (i === from && cutFirst) || (i === to && cutLast) ? 0.5 : 1)
      if (cutFirst) addGap(first, from * step)
      if (cutLast) addGap(to * step, last)
    }
    const logExcess = logAddExp(Math.log(near), far.value()) + logNormaliser
    return logExcess > 0 ? logExcess + Math.log1p(Math.exp(-logExcess)) : Math.log1p(Math.exp(logExcess))
  }
}

/**
 * The intervals within `range` that hold all but a negligible part of Q (1 + P/Q + (P/Q)^s): around 0, around 1, and
 * around the peak that order s makes, or the edge of the range if that comes first. There are no further peaks, so an
 * interval may end where the integrand has fallen far enough. Disjoint, in increasing order.
 */
function windows(
  sigma: number,
  s: number,
  q: number,
  range: readonly [number, number],
  logPower: (x: number) => number,
): [number, number][] {
  const reach = TAIL_SIGMAS * sigma
  const intervals: [number, number][] = [
    [-reach, reach],
    [1 - reach, 1 + reach],
  ]
  if (s < 0) {
    const peak = Math.max(leftPeak(sigma, s, q), range[0])
    intervals.push([peak - reach, peak + reach])
  } else {
    const peak = Math.min(s, range[1])
    const negligible = Math.max(0, logPower(peak)) - TAIL_SIGMAS ** 2 / 2
    let [centreEnd, peakStart] = [reach, peak - reach]
    for (let stride = sigma; centreEnd < peakStart && logPower(centreEnd) > negligible; stride *= 2) centreEnd += stride
    for (let stride = sigma; centreEnd < peakStart && logPower(peakStart) > negligible; stride *= 2) peakStart -= stride
    intervals.push([-reach, centreEnd], [peakStart, peak + reach])
  }
  return united(intervals.map(([a, b]) => [Math.max(a, range[0]), Math.min(b, range[1])]))
}

/** The union of intervals, without the empty ones. */
function united(intervals: readonly [number, number][]): [number, number][] {
  const result: [number, number][] = []
  for (const [a, b] of intervals.filter(([a, b]) => a < b).sort((left, right) => left[0] - right[0])) {
    const last = result.at(-1)
    if (last && a <= last[1]) last[1] = Math.max(last[1], b)
    else result.push([a, b])
  }
  return result
}

/**
 * Where Q (P/Q)^s is largest for s < 0: the only solution x <= 0 of x = s q / (q + (1 - q) e^((1 - 2 x) / 2 sigma^2)).
 */
function leftPeak(sigma: number, s: number, q: number): number {
  let [low, high] = [s, 0]
  for (let round = 0; round < 60; round++) {
    const x = (low + high) / 2
    if (x > (s * q) / (q + (1 - q) * Math.exp((1 - 2 * x) / (2 * sigma * sigma)))) high = x
    else low = x
  }
  return low
}

/** The binomial series of (1 + u)^s - 1 - s u, for |u| and |s u| below 0.1. */
function bernoulliSeries(u: number, s: number): number {
  let term = 0.5 * s * (s - 1) * u * u
  let sum = term
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k++) {
    term *= ((s - k + 1) / k) * u
    sum += term
  }
  return sum
}
