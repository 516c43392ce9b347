/**
 * A fact about privacy that was spent. Facts are stored; epsilon is an answer and is computed from them on demand.
 *
 * `noiseMultiplier` is the standard deviation of the noise divided by the sensitivity that was really in force
 * (clipping, grid and floating-point slack included), so an accountant needs nothing else. `clipNorm` is kept for the
 * record. Where it adapts, the votes that move it are part of the same mechanism and of the same noiseMultiplier, and
 * the clipNorm of a record event is the one that the run began with.
 */
export interface PrivacyEvent {
  readonly mechanism: 'poisson-subsampled-gaussian'
  /** Probability with which each unit (record or person) enters a lot, independently: 0 < sampleRate <= 1. */
  readonly sampleRate: number
  /** Noise standard deviation over L2 sensitivity: > 0. */
  readonly noiseMultiplier: number
  /** Number of compositions of this same step: a positive integer. Empty lots are counted too. */
  readonly steps: number
  readonly clipNorm: number
  readonly relation: 'add-or-remove-one'
  readonly unit: PrivacyUnit
}

/**
 * Whose presence an epsilon hides: one record, one person with up to a public number of records (both by the noise of
 * the site), or a whole client (by the noise of the coordinator).
 */
export type PrivacyUnit = SiteUnit | 'client'

/** The units that a site itself protects: every run has one of them. */
export type SiteUnit = 'record' | 'person'

export const SITE_UNITS: readonly SiteUnit[] = ['record', 'person']

/** The unit of a run, from its manifest: a record where nothing is said. */
export function unitOfRun({ unit }: { readonly unit?: { readonly kind: 'person' } | undefined }): SiteUnit {
  return unit?.kind ?? 'record'
}

/**
 * What taking part in one round costs: a function of public constants. Client and coordinator both call this one, so
 * that their ledgers can be compared fact by fact.
 */
export function eventOfRound(
  run: {
    readonly localSteps: number
    readonly clipNorm: number
    readonly unit?: { readonly kind: 'person' } | undefined
  },
  terms: { readonly sampleRate: number; readonly noiseMultiplier: number },
): PrivacyEvent {
  return {
    mechanism: 'poisson-subsampled-gaussian',
    sampleRate: terms.sampleRate,
    noiseMultiplier: terms.noiseMultiplier,
    steps: run.localSteps,
    clipNorm: run.clipNorm,
    relation: 'add-or-remove-one',
    unit: unitOfRun(run),
  }
}

/**
 * What one draw of central noise costs each client whose delta it covers: one Gaussian mechanism without sampling,
 * because the coordinator, and whoever reads the history of the run, knows who was selected.
 */
export function eventOfClientLevelRound(terms: {
  readonly clipNorm: number
  readonly noiseMultiplier: number
}): PrivacyEvent {
  return {
    mechanism: 'poisson-subsampled-gaussian',
    sampleRate: 1,
    noiseMultiplier: terms.noiseMultiplier,
    steps: 1,
    clipNorm: terms.clipNorm,
    relation: 'add-or-remove-one',
    unit: 'client',
  }
}

/** Against whom an epsilon of each unit holds: shown wherever one is. */
export const ADVERSARY = {
  record: "everyone outside the client's process, the coordinator included",
  person: "everyone outside the client's process, the coordinator included",
  client: 'everyone except the coordinator, which is trusted to add the noise',
} as const satisfies Record<PrivacyUnit, string>

/** The part of an event that decides epsilon. */
export type AccountedEvent = Pick<PrivacyEvent, 'sampleRate' | 'noiseMultiplier' | 'steps'>
