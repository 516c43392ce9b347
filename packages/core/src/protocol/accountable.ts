import type { AccountedEvent } from '../accounting/index.ts'
import { LIMITS, type Range } from '../limits/index.ts'

/**
 * False for an event that no run of today can have: earlier releases stored whatever a client said. The accountants may
 * not come back from it; `closedFormEpsilon` bounds it at once.
 */
export function isAccountable({ sampleRate, noiseMultiplier, steps }: AccountedEvent): boolean {
  const isWithin = (value: number, { least, most }: Range): boolean => value >= least && value <= most
  return (
    isWithin(sampleRate, LIMITS.sampleRate) &&
    isWithin(noiseMultiplier, LIMITS.noiseMultiplier) &&
    isWithin(steps, LIMITS.stepsInAll) &&
    Number.isSafeInteger(steps)
  )
}
