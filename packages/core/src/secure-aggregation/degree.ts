import { logAddExp } from '../numeric/index.ts'

/** Each of the two ways in which a drawn graph can fail to protect has at most this chance, for all sites together. */
export const UNSAFE_GRAPH = 2 ** -40
/** The chance that a site's shares cannot be put together although no more sites were lost than the run tolerates. */
export const UNLUCKY_GRAPH = 2 ** -30
/** Up to this many sites, everybody is everybody's neighbour. */
export const COMPLETE_UP_TO = 32
/** Shamir's scheme over GF(2^8) has no more; a site's own share is one of them. */
export const MOST_SHARES = 255

/** How many neighbours each site draws, and how many of their shares and its own give a secret back. */
export interface Degree {
  readonly neighbours: number
  readonly shareThreshold: number
}

interface Sites {
  readonly sites: number
  readonly mostColluders: number
  readonly mostLost: number
}

const remembered = new Map<string, Degree | undefined>()

/**
 * The least number k of neighbours that each of n sites draws for itself, uniformly and after the roster is fixed, with
 * a threshold t for their shares, so that
 *
 * 1. *nobody's secret is in corrupt hands*: n P[X >= t] <= 2^-40, where X, the corrupt among k neighbours, is
 *    hypergeometric with c corrupt among n - 1;
 * 2. *no small group stands alone*: with chance 1 - 2^-40 no set of s <= h / 2 of the h = n - c honest sites has
 *    at most d honest neighbours, so that whichever d of them the coordinator leaves out, the honest rest stays
 *    connected and only the sum over all of it can be learned. An honest site outside the set is adjacent to it with
 *    probability p = 1 - C(n - 1 - s, k) / C(n - 1, k) (1 - k / (n - 1))^s, since each draws on its own; how many are
 *    is a sum of negatively associated indicators, so Chernoff's bound applies, P[at most d of N = h - s] <= exp(-N
 *    KL(d / N || p)), and is summed over the C(h, s) sets of each size;
 * 3. *what is lost by chance is borne*: n P[Y < t] <= 2^-30, where Y, the neighbours that answer, is hypergeometric
 *    with n - 1 - d among n - 1. This one is about utility: a sum that fails it is aborted.
 *
 * Undefined where no k below n - 1 with at most 254 neighbours does.
 */
export function degreeFor({ sites, mostColluders, mostLost }: Sites): Degree | undefined {
  const key = `${sites}/${mostColluders}/${mostLost}`
  if (!remembered.has(key)) remembered.set(key, searchDegree({ sites, mostColluders, mostLost }))
  return remembered.get(key)
}

function searchDegree(question: Sites): Degree | undefined {
  const { sites: n, mostColluders: c, mostLost: d } = question
  const choose = logChoose(n)
  const fits = (k: number): Degree | undefined => {
    if (logOfIsolation(choose, question, k) > Math.log(UNSAFE_GRAPH)) return undefined
    // Both tails move one way with t: the least t that is safe is the one to try.
    for (let t = 2; t <= k; t++) {
      const unsafe = Math.log(n) + logTail(choose, { of: n - 1, marked: c, drawn: k, from: t, to: k })
      if (unsafe > Math.log(UNSAFE_GRAPH)) continue
      const unlucky = Math.log(n) + logTail(choose, { of: n - 1, marked: n - 1 - d, drawn: k, from: 0, to: t - 1 })
      return unlucky <= Math.log(UNLUCKY_GRAPH) ? { neighbours: k, shareThreshold: t } : undefined
    }
    return undefined
  }
  for (let k = 2; k < Math.min(n - 1, MOST_SHARES); k++) {
    const degree = fits(k)
    if (degree !== undefined) return degree
  }
  return undefined
}

type LogChoose = (of: number, some: number) => number

function logChoose(most: number): LogChoose {
  const logFactorial = new Float64Array(most + 1)
  for (let i = 1; i <= most; i++) logFactorial[i] = logFactorial[i - 1]! + Math.log(i)
  return (of, some) =>
    some < 0 || some > of
      ? Number.NEGATIVE_INFINITY
      : logFactorial[of]! - logFactorial[some]! - logFactorial[of - some]!
}

/** log of the chance that `drawn` without replacement have between `from` and `to` of the marked ones. */
function logTail(
  choose: LogChoose,
  { of, marked, drawn, from, to }: { of: number; marked: number; drawn: number; from: number; to: number },
): number {
  let sum = Number.NEGATIVE_INFINITY
  for (let x = from; x <= Math.min(to, marked, drawn); x++) {
    const term = choose(marked, x) + choose(of - marked, drawn - x) - choose(of, drawn)
    if (term > Number.NEGATIVE_INFINITY) sum = logAddExp(sum, term)
  }
  return sum
}

/** log of the bound on condition 2. */
function logOfIsolation(choose: LogChoose, { sites: n, mostColluders: c, mostLost: d }: Sites, k: number): number {
  const honest = n - c
  let sum = Number.NEGATIVE_INFINITY
  for (let s = 1; s <= honest / 2; s++) {
    const apart = choose(n - 1 - s, k) - choose(n - 1, k) + s * Math.log1p(-k / (n - 1))
    const adjacent = -Math.expm1(apart)
    const others = honest - s
    if (adjacent <= d / others) return 0
    sum = logAddExp(sum, choose(honest, s) - others * divergence(d / others, adjacent))
  }
  return sum
}

/** Kullback-Leibler divergence of two coins. */
function divergence(a: number, b: number): number {
  const heads = a === 0 ? 0 : a * Math.log(a / b)
  if (a === 1) return heads
  return b === 1 ? Number.POSITIVE_INFINITY : heads + (1 - a) * Math.log((1 - a) / (1 - b))
}
