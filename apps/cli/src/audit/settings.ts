import { calibrateNoiseMultiplier, eventOfRound, type PrivacyEvent, pld } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import type { PrivateRoundTerms } from '@fedsvd/core/privacy'

/** What a person asks to audit: the privacy terms of a client, and how hard to look. */
export interface AuditSettings {
  /** Records of the client and its expected lot size: together the sample rate. */
  readonly records: number
  readonly lot: number
  /** Steps in all, over every round. */
  readonly steps: number
  /** The budget that the noise is calibrated to, unless noiseMultiplier is given. */
  readonly epsilon: number
  readonly noiseMultiplier?: number
  readonly delta: number
  readonly clipNorm: number
  readonly canaries: number
  readonly confidence: number
}

const CANARIES = { fewest: 100, most: 1_000_000 } as const

/**
 * The terms of the audited round and the event that a ledger would hold for it.
 *
 * @throws FedsvdError DELTA_TOO_LARGE, CONFIG_INVALID, BUDGET_TOO_SMALL
 */
export function auditTerms(settings: AuditSettings): { terms: PrivateRoundTerms; event: PrivacyEvent } {
  const { records, lot, steps, epsilon, delta, clipNorm, canaries } = settings
  if (canaries < CANARIES.fewest || canaries > CANARIES.most) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `from ${CANARIES.fewest} to ${CANARIES.most} canaries`,
      got: String(canaries),
      remedy: 'Leave --canaries at its default; fewer see less',
    })
  }
  if (lot > records) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `a lot of at most the ${records} records of the client`,
      got: `--lot ${lot}`,
      remedy: 'Lower --lot, or raise --records to what the client has.',
    })
  }
  if (delta > 1 / records) {
    throw new FedsvdError('DELTA_TOO_LARGE', {
      expected: `delta of at most 1 / records = ${1 / records}`,
      got: String(delta),
      remedy: 'Lower --delta to what the client uses',
    })
  }
  const sampleRate = lot / records
  const noiseMultiplier =
    settings.noiseMultiplier ?? calibrateNoiseMultiplier({ epsilon, delta, sampleRate, steps, accountant: pld })
  const event = eventOfRound({ localSteps: steps, clipNorm }, { sampleRate, noiseMultiplier })
  const expectedLotSize = (sampleRate * canaries) / 2
  return { event, terms: { clipNorm, noiseMultiplier, sampleRate, steps, learningRate: 1, expectedLotSize } }
}
