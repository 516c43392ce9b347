import type { PrivacyEvent } from '../accounting/index.ts'
import { FedsvdError, roundNumber } from '../errors.ts'

/** What a ledger writes down before a round may add noise, and the proof that it did. */
export interface ReservedEntry {
  readonly event: PrivacyEvent
  readonly runId: string
  readonly round: number
  /** 0 for the first try of a round. Another try draws new noise, so it needs an entry, and a payment, of its own. */
  readonly attempt: number
  /** Whose budget was charged. */
  readonly datasetFingerprint: string
  /** The hash of the entry in the ledger's chain. */
  readonly entryHash: string
  /** True only after the entry has reached stable storage (fsync). */
  readonly durable: boolean
  /**
   * The ledger follows the round step by step: no step begins before the one before it is kept, durably (see
   * {@link durableStepFrom}). So of a round that breaks off at most one step more than was kept can have begun.
   */
  readonly stepwise?: boolean
  /**
   * There when the entry is for going on with an attempt that broke off: it pays for the one step that may have begun
   * and was lost, or leaves that step out of the round (`shortened`). Why: docs/decisions/0070 and 0115.
   */
  readonly resumes?: Resumption
}

/** Where a round that broke off goes on. */
export interface Resumption {
  /** The attempt that broke off. */
  readonly attempt: number
  /** Steps that were kept; 0 when the round begins anew. */
  readonly step: number
  /** Steps of the whole round, all of them paid for: by attempts before, and by this entry where it pays for one. */
  readonly steps: number
  /** SHA-256, in hex, of the saved step that the ledger recorded; undefined at step 0. */
  readonly savedSha256: string | undefined
  /** Nothing more is paid for: it is the same attempt, and its round has one step fewer, the one that was lost. */
  readonly shortened?: true
}

/**
 * A durable ledger entry that has not been used yet. It pays for exactly one private round.
 *
 * The class is not exported and has a private field, so no object literal has this type, and a cast is found out when
 * the mechanism looks at it.
 */
class DurableReservation {
  readonly entry: ReservedEntry
  #used = false

  constructor(entry: ReservedEntry) {
    this.entry = entry
  }

  static use(candidate: unknown): ReservedEntry {
    if (!(candidate instanceof DurableReservation && #used in candidate)) {
      throw missing('a reservation that the ledger made', 'none')
    }
    const { runId, round, attempt } = candidate.entry
    if (candidate.#used)
      throw missing(
        'a reservation of its own',
        `that of round ${roundNumber(round)}, attempt ${attempt} of run ${runId} again`,
      )
    candidate.#used = true
    return candidate.entry
  }
}

export type { DurableReservation as Reservation }

/**
 * Makes a reservation from an entry that is on disk. Only a ledger calls this, after its fsync.
 *
 * Refuses with RESERVATION_MISSING an entry that is not durable or has no hash or fingerprint, and with NOISE_INVALID
 * an event whose numbers cannot be accounted.
 */
export function reservationFrom(entry: ReservedEntry): DurableReservation {
  const { event, attempt, round, resumes } = entry
  if (entry.durable !== true) throw missing('a ledger entry on stable storage', 'one that may still be lost')
  if (!entry.entryHash || !entry.datasetFingerprint || !entry.runId) {
    throw missing('an entry that names its run, its data set and its hash', JSON.stringify(entry))
  }
  const usable =
    event.sampleRate > 0 &&
    event.sampleRate <= 1 &&
    event.noiseMultiplier > 0 &&
    event.clipNorm > 0 &&
    Number.isFinite(event.noiseMultiplier * event.clipNorm) &&
    [event.steps - 1, attempt, round].every((count) => Number.isSafeInteger(count) && count >= 0)
  if (!usable) {
    throw new FedsvdError('NOISE_INVALID', {
      expected: 'an event with 0 < sampleRate <= 1, noiseMultiplier > 0, clipNorm > 0 and a positive number of steps',
      got: JSON.stringify({ event, round, attempt }),
      remedy: 'Correct the terms of the run; nothing was drawn.',
    })
  }
  if (resumes !== undefined) requireResumption(resumes, entry)
  return new DurableReservation({ ...entry, event: { ...event }, ...(resumes && { resumes: { ...resumes } }) })
}

function requireResumption({ attempt, step, steps, savedSha256, shortened }: Resumption, entry: ReservedEntry): void {
  const follows = shortened
    ? attempt === entry.attempt && step <= steps
    : attempt < entry.attempt && step < steps && entry.event.steps === 1
  const sound =
    follows &&
    entry.stepwise === true &&
    [step, steps - 1].every((count) => Number.isSafeInteger(count) && count >= 0) &&
    (step === 0) === (savedSha256 === undefined)
  if (sound) return
  throw missing('one step paid for or left out, to go on behind a step that the ledger kept', JSON.stringify(entry))
}

/** A step of a round that a ledger has kept: its hash is on stable storage. */
export interface KeptStep {
  readonly runId: string
  readonly round: number
  readonly attempt: number
  readonly step: number
  /** True only after the line has reached stable storage (fsync). */
  readonly durable: boolean
}

/** The proof that a step was kept, without which the next one does not begin. Made as reservations are. */
class DurableStep {
  // oxlint-disable-next-line no-unused-private-class-members -- keptBy asks whether it is there
  readonly #made = true
  readonly kept: KeptStep

  constructor(kept: KeptStep) {
    this.kept = kept
  }

  static keptBy(candidate: unknown): KeptStep | undefined {
    return candidate instanceof DurableStep && #made in candidate ? candidate.kept : undefined
  }
}

export type { DurableStep }

/**
 * Makes the proof from a line that is on disk. Only a ledger calls this, after its fsync. RESERVATION_MISSING
 * otherwise.
 */
export function durableStepFrom(kept: KeptStep): DurableStep {
  if (kept.durable !== true) throw missing('a kept step on stable storage', 'one that may still be lost')
  return new DurableStep({ ...kept })
}

/** Throws RESERVATION_MISSING unless a ledger has kept this very step of this very attempt. */
export function requireKept(candidate: unknown, { runId, round, attempt }: ReservedEntry, step: number): void {
  const kept = DurableStep.keptBy(candidate)
  const same = kept?.runId === runId && kept.round === round && kept.attempt === attempt && kept.step === step
  if (!same) throw missing(`the proof that step ${step} was kept`, 'none')
}

/** The steps of the round that a reservation is for. */
export function stepsOf({ event, resumes }: Pick<ReservedEntry, 'event' | 'resumes'>): number {
  return resumes?.steps ?? event.steps
}

/** The entry of a reservation, which is used up by this. RESERVATION_MISSING when it is not one or was used before. */
export function useReservation(candidate: unknown): ReservedEntry {
  return DurableReservation.use(candidate)
}

function missing(expected: string, got: string): FedsvdError {
  return new FedsvdError('RESERVATION_MISSING', {
    expected,
    got,
    remedy: 'Reserve the round in the ledger first; to repeat an upload, send the bytes that were made the first time.',
  })
}
