import type { PrivacyEvent } from '@fedsvd/core/accounting'

const FACTS = ['mechanism', 'sampleRate', 'noiseMultiplier', 'steps', 'clipNorm', 'relation', 'unit'] as const

/** True when two events are the same fact, number for number. */
export function sameEvent(left: PrivacyEvent, right: PrivacyEvent): boolean {
  return FACTS.every((fact) => left[fact] === right[fact])
}
