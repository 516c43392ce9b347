import { FedsvdError } from '../errors.ts'
import type { AccountedEvent } from './event.ts'

/**
 * Refuses an event that no accountant may count.
 *
 * @throws FedsvdError NOISE_INVALID for a noise multiplier that is not a positive finite number, CONFIG_INVALID for a
 *   sample rate outside (0, 1] or a number of steps that is not a positive integer.
 */
export function checkEvent(event: AccountedEvent): void {
  const { sampleRate, noiseMultiplier, steps } = event
  checkSampleRate(sampleRate)
  checkNoiseMultiplier(noiseMultiplier)
  checkSteps(steps)
}

export function checkSampleRate(sampleRate: number): void {
  if (typeof sampleRate === 'number' && sampleRate > 0 && sampleRate <= 1) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'a sampleRate above 0 and at most 1',
    got: String(sampleRate),
    remedy: 'Set it to the expected lot size divided by the declared number of records.',
  })
}

export function checkNoiseMultiplier(noiseMultiplier: number): void {
  if (Number.isFinite(noiseMultiplier) && noiseMultiplier > 0) return
  throw new FedsvdError('NOISE_INVALID', {
    expected: 'a noiseMultiplier that is finite and above 0',
    got: String(noiseMultiplier),
    remedy: 'Noise cannot be switched off under a privacy account; calibrate it from epsilon and delta.',
  })
}

export function checkSteps(steps: number): void {
  if (Number.isSafeInteger(steps) && steps > 0) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'a number of steps that is a positive integer',
    got: String(steps),
    remedy: 'Record one event per release with the number of steps it really took; leave out releases of none.',
  })
}

/** No smaller delta can be asked for: the arithmetic has no room below it, and no data set is that large. */
export const LEAST_DELTA = 1e-200

/** @throws FedsvdError CONFIG_INVALID unless 1e-200 <= delta < 1. */
export function checkDelta(delta: number): void {
  if (typeof delta === 'number' && delta >= LEAST_DELTA && delta < 1) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `a delta above 0 (at least ${LEAST_DELTA}) and below 1`,
    got: String(delta),
    remedy: 'Choose delta at most 1 / records.',
  })
}

/** @throws FedsvdError CONFIG_INVALID unless epsilon is finite and at least 0. */
export function checkEpsilon(epsilon: number): void {
  if (Number.isFinite(epsilon) && epsilon >= 0) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'an epsilon that is finite and not negative',
    got: String(epsilon),
    remedy: 'Give the privacy budget as a number, for example 6.',
  })
}

/**
 * Names the mechanism of an event: two events with one key differ in their number of steps only. The one key of
 * ledgers, accountants and views; where spending is kept by client or run, their names stand before it.
 */
export function mechanismKey({ sampleRate, noiseMultiplier }: Omit<AccountedEvent, 'steps'>): string {
  return `${sampleRate}/${noiseMultiplier}`
}

/**
 * An upper bound as a number that JSON can say: events that nothing can bound have the largest number there is, which
 * is above every budget.
 *
 * @param epsilon 0 or more, Infinity included
 */
export function finiteEpsilon(epsilon: number): number {
  return Math.min(epsilon, Number.MAX_VALUE)
}

/**
 * Adds up the steps of events with the same mechanism. Epsilon depends on this multiset only: not on the order of
 * events, nor on how steps were cut into rounds.
 *
 * @throws FedsvdError as {@link checkEvent}.
 */
export function mergeEvents(events: readonly AccountedEvent[]): AccountedEvent[] {
  const merged = new Map<string, AccountedEvent>()
  for (const event of events) {
    checkEvent(event)
    const key = mechanismKey(event)
    const { sampleRate, noiseMultiplier } = event
    merged.set(key, { sampleRate, noiseMultiplier, steps: (merged.get(key)?.steps ?? 0) + event.steps })
  }
  return [...merged.values()]
}
