import { LogSum, logAddExp } from '../numeric/index.ts'

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
}

/** Tails beyond this many standard deviations are below e^-72 of the integral and are left out. */
const TAIL_SIGMAS = 12

/** The trapezoid rule's own relative error is kept below e^-45. */
const ALIASING_EXPONENT = 45

/**
 * Step of the trapezoid rule for integrals of N(x; 0, sigma^2) (P/Q)^s.
 *
 * The integrand is analytic in the strip |Im x| < pi sigma^2, where its modulus grows by at most
 * e^(a^2 / 2 sigma^2); the rule with step h therefore errs by less than 2 e^(a^2 / 2 sigma^2 - 2 pi a / h), relatively,
 * for every a inside the strip. Solved here for h at the best a.
 */
function trapezoidStep(sigma: number): number {
  const smooth = Math.sqrt((2 * Math.PI ** 2) / ALIASING_EXPONENT) * sigma
  const nearSingularity = 2 / (ALIASING_EXPONENT / (Math.PI * sigma) ** 2 + 0.5)
  return Math.min(smooth, nearSingularity)
}

/** log E_Q[(P/Q)^s] as a function of the order s, for s >= 1 or s <= 0. */
export interface LogMoment {
  (s: number): number
  /** How many evaluations of the integrand order s takes. */
  cost(s: number): number
}

/**
 * The log-moment function of a mechanism, for any real order s >= 1 or s <= 0, integer or not: log E_Q[(P/Q)^s] is
 * (s - 1) times the Renyi divergence of order s.
 *
 * Because E_Q[P/Q - 1] = 0, the moment minus one is the integral of (1 + u)^s - 1 - s u with u = P/Q - 1, which is never
 * negative (Bernoulli): summing it loses no digits, however small the sample rate. The nodes of the trapezoid rule do
 * not depend on s and are computed once.
 *
 * @returns a function whose values are at least 0, and 0 at s = 0 and s = 1.
 */
export function logMomentOf({ sampleRate: q, noiseMultiplier: sigma }: SubsampledGaussian): LogMoment {
  const variance = sigma * sigma
  if (q === 1) return Object.assign((s: number) => (s * (s - 1)) / (2 * variance), { cost: () => 1 })

  const step = trapezoidStep(sigma)
  const first = -TAIL_SIGMAS * sigma
  const logNormaliser = Math.log(step / sigma) - 0.5 * Math.log(2 * Math.PI)
  const nodes = { logUnsampled: [] as number[], u: [] as number[], logRatio: [] as number[], weight: [] as number[] }
  const cost = (s: number) => Math.ceil((Math.max(1, s) + TAIL_SIGMAS * sigma - first) / step) + 1

  const extendTo = (count: number) => {
    for (let i = nodes.u.length; i < count; i++) {
      const x = first + i * step
      const y = (2 * x - 1) / (2 * variance)
      nodes.logUnsampled.push(y)
      nodes.u.push(q * Math.expm1(y))
      nodes.logRatio.push(Math.log1p(q * Math.expm1(y)))
      nodes.weight.push(Math.exp((-x * x) / (2 * variance)))
    }
  }

  const logMoment = (s: number): number => {
    if (s === 0 || s === 1) return 0
    const count = cost(s)
    extendTo(count)
    let near = 0
    const far = new LogSum()
    for (let i = 0; i < count; i++) {
      const u = nodes.u[i] as number
      const power = s * (nodes.logRatio[i] as number)
      if (Math.abs(u) < 0.1 && Math.abs(s * u) < 0.1) {
        near += bernoulliSeries(u, s) * (nodes.weight[i] as number)
      } else if (power < 300 && u < 1e100) {
        near += (Math.expm1(power) - s * u) * (nodes.weight[i] as number)
      } else {
        const x = first + i * step
        far.add(logBernoulliExcess(q, nodes.logUnsampled[i] as number, s) - (x * x) / (2 * variance))
      }
    }
    const logExcess = logAddExp(Math.log(near), far.value()) + logNormaliser
    return logExcess > 0 ? logExcess + Math.log1p(Math.exp(-logExcess)) : Math.log1p(Math.exp(logExcess))
  }
  return Object.assign(logMoment, { cost })
}

/** log((1 + u)^s - 1 - s u) for u = q (e^y - 1), where the terms themselves may overflow. */
function logBernoulliExcess(q: number, y: number, s: number): number {
  const logU = Math.log(q) + y + Math.log1p(-Math.exp(-y))
  if (s < 0) return Math.log(-s) + logU
  const power = s * (logU + Math.log1p(Math.exp(-logU)))
  return power + Math.log1p(-Math.exp(Math.log(s) + logU + Math.log1p(Math.exp(-logU) / s) - power))
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
