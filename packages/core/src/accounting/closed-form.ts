import type { AccountedEvent } from './event.ts'

/** Covers the rounding of a few operations on positive numbers. */
const ROUND_UP = 1 + 1e-12

/**
 * A bound on epsilon that is valid at once: concentrated DP without any credit for sampling (Bun and Steinke 2016,
 * propositions 1.3 and 1.6). Each step of the Gaussian mechanism is rho-zCDP with rho = 1 / 2 sigma^2; a mixture of its
 * two outputs is no further from either than they are from each other, so a Poisson-sampled step is too. Rho adds up,
 * and rho-zCDP is (rho + 2 sqrt(rho log(1 / delta)), delta)-DP.
 *
 * For events that are too many, or have too little noise, for the tighter accountants: it takes a few operations an
 * event, whatever the numbers are, and answers Infinity where there is no bound.
 */
export function closedFormEpsilon(events: readonly AccountedEvent[], delta: number): number {
  if (events.length === 0) return 0
  let rho = 0
  for (const { noiseMultiplier, steps } of events) rho += steps / 2 / noiseMultiplier / noiseMultiplier
  const epsilon = ROUND_UP * (rho + 2 * Math.sqrt(rho * -Math.log(delta)))
  return epsilon >= 0 ? epsilon : Number.POSITIVE_INFINITY // NaN is no bound
}
