import type { PrivacyEvent } from '@fedsvd/core/accounting'
import type { PrivacyTerms, RunManifest } from '@fedsvd/core/protocol'

/** What one participation in one round costs a client: the same arithmetic as on the client. */
export function eventOfRound(
  manifest: Pick<RunManifest, 'localSteps' | 'clipNorm'>,
  terms: PrivacyTerms,
): PrivacyEvent {
  return {
    mechanism: 'poisson-subsampled-gaussian',
    sampleRate: terms.sampleRate,
    noiseMultiplier: terms.noiseMultiplier,
    steps: manifest.localSteps,
    clipNorm: manifest.clipNorm,
    relation: 'add-or-remove-one',
    unit: 'record',
  }
}

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
