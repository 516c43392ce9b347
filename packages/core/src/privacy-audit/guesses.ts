/**
 * How many guesses an auditor makes. Canaries are ranked by their score; the top `included` are guessed to have been in
 * the data, the bottom `excluded` to have been out, and on the others the auditor abstains.
 */
export interface GuessPlan {
  readonly included: number
  readonly excluded: number
}

/** What came of a plan. */
export interface GuessOutcome {
  /** m: canaries, each in the data or out of it by a fair coin of its own. */
  readonly canaries: number
  /** r: guesses made; on the other canaries the auditor abstains. */
  readonly guesses: number
  /** v: guesses that were right. */
  readonly correct: number
}

const SHARES = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2] as const

/**
 * The plans that an audit of `canaries` canaries tries: guesses on 1/32, 1/16, 1/8, 1/4 and 1/2 of them, each once on
 * both ends of the ranking and once on the top alone.
 *
 * The list depends on the number of canaries and on nothing that was measured, and {@link judge} pays for its length
 * (each plan is tested at 1 / length of the allowed error), so trying them all and keeping the best is not a second
 * look.
 */
export function guessPlans(canaries: number): GuessPlan[] {
  return SHARES.flatMap((share) => {
    const half = Math.floor((canaries * share) / 2)
    return [
      { included: half, excluded: half },
      { included: 2 * half, excluded: 0 },
    ]
  }).filter(({ included }) => included > 0)
}

/**
 * Counts the right guesses of each plan.
 *
 * @param scores one per canary, the larger the likelier it was in; ties go by index, which knows nothing of the coins
 * @param included 1 where the canary was in, 0 where it was out
 */
export function countCorrect(scores: Float64Array, included: Uint8Array, plans: readonly GuessPlan[]): GuessOutcome[] {
  const canaries = scores.length
  const ranking = Uint32Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b)
  const inAbove = new Uint32Array(canaries + 1)
  for (let rank = 0; rank < canaries; rank++) inAbove[rank + 1] = inAbove[rank]! + included[ranking[rank]!]!
  return plans.map((plan) => {
    const outBelow = plan.excluded - (inAbove[canaries]! - inAbove[canaries - plan.excluded]!)
    return {
      canaries,
      guesses: plan.included + plan.excluded,
      correct: inAbove[plan.included]! + outBelow,
    }
  })
}
