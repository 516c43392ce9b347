import { type PrivacyEvent, pld } from '@fedsvd/core/accounting'
import { beginPrivateRound } from '@fedsvd/core/privacy'
import { type AuditResult, canarySpecs, claimedCurve, judge, scoreGradientCanaries } from '@fedsvd/core/privacy-audit'
import { drawPoissonLot } from '@fedsvd/core/random'
import { zerosLike } from '@fedsvd/core/tensor'
import { osRandomness } from '@fedsvd/engine/crypto'
import { type AuditSettings, auditTerms } from './settings.ts'
import { withReservation } from './with-reservation.ts'

export interface AuditReport extends AuditResult {
  readonly event: PrivacyEvent
  readonly canaries: number
}

/**
 * Audits the mechanism on this machine: canaries in or out by coins of the operating system, one private round with the
 * mechanism, ledger and randomness of a client, and a verdict on the accountant's claim. Nothing is left on disk.
 *
 * @param begin what is audited; a test hands in a broken one
 * @throws FedsvdError for settings that make no round, as {@link auditTerms}
 */
export async function runAudit(
  settings: AuditSettings,
  begin: typeof beginPrivateRound = beginPrivateRound,
  onStep: (done: number, steps: number) => void = () => {},
): Promise<AuditReport> {
  const { terms, event } = auditTerms(settings)
  const { canaries, delta, confidence } = settings
  const curve = claimedCurve(pld, [event], delta)
  const included = new Uint8Array(canaries)
  for (const canary of drawPoissonLot(osRandomness, canaries, 0.5)) included[canary] = 1
  const specs = canarySpecs(canaries)
  const scores = await withReservation(event, curve[0]!, (reservation, ledger) => {
    const start = specs.map(zerosLike)
    const round = begin({ ...terms, specs, start, reservation, source: osRandomness })
    return scoreGradientCanaries(round, included, terms, async (done) => {
      if (done < terms.steps) round.kept(ledger.stepped(await round.save()))
      onStep(done, terms.steps)
    })
  })
  return { ...judge(scores, included, curve, confidence), event, canaries }
}
