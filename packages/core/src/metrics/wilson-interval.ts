/** Both ends count as inside. */
export interface Interval {
  readonly low: number
  readonly high: number
}

/** The 97.5 % quantile of the normal distribution. */
const Z_95 = 1.959963984540054

/**
 * The interval of Wilson (1927, J. Amer. Stat. Assoc. 22) at 95 % for the probability of a success. It stays within [0,
 * 1] and has a length also where all or none succeeded; with no trials it is all of [0, 1]. It is about independent
 * trials that were counted exactly: noise in the counts is not in it.
 */
export function wilsonInterval(successes: number, trials: number): Interval {
  if (trials <= 0) return { low: 0, high: 1 }
  const share = Math.min(1, Math.max(0, successes / trials))
  const z2 = Z_95 ** 2
  const middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
  const half = (Z_95 / (1 + z2 / trials)) * Math.sqrt((share * (1 - share)) / trials + z2 / (4 * trials ** 2))
  // exact where rounding is not: a share of 0 or 1 is an end of its own interval
  return { low: share === 0 ? 0 : middle - half, high: share === 1 ? 1 : middle + half }
}
