import type { AccountedEvent } from './event.ts'

/**
 * Turns recorded events into an upper bound on what was spent, under add-or-remove-one neighbours.
 *
 * Every implementation promises:
 * - the bound holds: every rounding, truncation and floating-point error is on the side of a larger epsilon;
 * - no events cost nothing: epsilon 0, delta 0;
 * - only the multiset of (sampleRate, noiseMultiplier, steps) matters, not order or grouping (up to rounding);
 * - what `rdp` and `pld` say holds for events that were fixed before the first of them was released; where events are
 *   chosen after seeing results, only a filter is a bound (`filter.ts`), and theirs is an odometer: what was spent so
 *   far;
 * - bad input is refused: CONFIG_INVALID (sampleRate, steps, delta, epsilon) or NOISE_INVALID (noiseMultiplier).
 *
 * Amplification comes from the Poisson sampling inside each event and from nowhere else. There is deliberately no
 * parameter for how often a client is selected: whoever selects the clients knows who was selected.
 *
 * `Account` is an immutable value for a ledger that grows: `append` returns a new one and never alters the old.
 */
export interface Accountant<Account = unknown> {
  readonly name: 'rdp' | 'pld' | 'filter'
  /**
   * The smallest epsilon that this accountant can prove at `delta` for the composition of `events`.
   *
   * @example pld.epsilonUpperBound([{ sampleRate: 0.01, noiseMultiplier: 1, steps: 1000 }], 1e-5) // 1.83
   * @example rdp.epsilonUpperBound([{ sampleRate: 0.01, noiseMultiplier: 1, steps: 1000 }], 1e-5) // 2.10
   */
  epsilonUpperBound(events: readonly AccountedEvent[], delta: number): number
  /** The smallest delta that this accountant can prove at `epsilon`: the inverse of `epsilonUpperBound`. */
  deltaUpperBound(events: readonly AccountedEvent[], epsilon: number): number
  /** An account without events, to be read at `delta`. */
  init(delta: number): Account
  /** The account with one more event: cheap even when a thousand went before. */
  append(account: Account, event: AccountedEvent): Account
  /** Epsilon of everything appended so far. */
  epsilon(account: Account): number
}
