/**
 * A fact about privacy that was spent. Facts are stored; epsilon is an answer and is computed from them on demand.
 *
 * `noiseMultiplier` is the standard deviation of the noise divided by the sensitivity that was really in force (clipping,
 * grid and floating-point slack included), so an accountant needs nothing else. `clipNorm` is kept for the record.
 */
export interface PrivacyEvent {
  readonly mechanism: 'poisson-subsampled-gaussian'
  /** Probability with which each record enters a lot, independently: 0 < sampleRate <= 1. */
  readonly sampleRate: number
  /** Noise standard deviation over L2 sensitivity: > 0. */
  readonly noiseMultiplier: number
  /** Number of compositions of this same step: a positive integer. Empty lots are counted too. */
  readonly steps: number
  readonly clipNorm: number
  readonly relation: 'add-or-remove-one'
  readonly unit: 'record' | 'client'
}

/**
 * What taking part in one round costs: a function of public constants. Client and coordinator both call this one, so that
 * their ledgers can be compared fact by fact.
 */
export function eventOfRound(
  run: { readonly localSteps: number; readonly clipNorm: number },
  terms: { readonly sampleRate: number; readonly noiseMultiplier: number },
): PrivacyEvent {
  return {
    mechanism: 'poisson-subsampled-gaussian',
    sampleRate: terms.sampleRate,
    noiseMultiplier: terms.noiseMultiplier,
    steps: run.localSteps,
    clipNorm: run.clipNorm,
    relation: 'add-or-remove-one',
    unit: 'record',
  }
}

/** The part of an event that decides epsilon. */
export type AccountedEvent = Pick<PrivacyEvent, 'sampleRate' | 'noiseMultiplier' | 'steps'>
