import type { PrivacyEvent } from '@fedsvd/core/accounting'

/** True when two events are the same fact, number for number. */
export function sameEvent(left: PrivacyEvent, right: PrivacyEvent): boolean {
  const facts = (event: PrivacyEvent) =>
    JSON.stringify([
      event.mechanism,
      event.sampleRate,
      event.noiseMultiplier,
      event.steps,
      event.clipNorm,
      event.relation,
      event.unit,
    ])
  return facts(left) === facts(right)
}
