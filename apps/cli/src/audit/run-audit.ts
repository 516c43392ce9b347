import { createHash, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLedger, osRandomness, type PrivacyLedger } from '@fedsvd/client'
import { type PrivacyEvent, pld } from '@fedsvd/core/accounting'
import { type AuditResult, canarySpecs, claimedCurve, judge, scoreGradientCanaries } from '@fedsvd/core/audit'
import { beginPrivateRound, type Reservation } from '@fedsvd/core/privacy'
import { drawPoissonLot } from '@fedsvd/core/random'
import { zerosLike } from '@fedsvd/core/tensor'
import { type AuditSettings, auditTerms } from './settings.ts'

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
export function runAudit(
  settings: AuditSettings,
  begin: typeof beginPrivateRound = beginPrivateRound,
  onStep: (done: number, steps: number) => void = () => {},
): AuditReport {
  const { terms, event } = auditTerms(settings)
  const { canaries, delta, confidence } = settings
  const curve = claimedCurve(pld, [event], delta)
  const included = new Uint8Array(canaries)
  for (const canary of drawPoissonLot(osRandomness, canaries, 0.5)) included[canary] = 1
  const specs = canarySpecs(canaries)
  const scores = withReservation(event, curve[0]!, (reservation, ledger) => {
    const start = specs.map(zerosLike)
    const round = begin({ ...terms, specs, start, reservation, source: osRandomness })
    return scoreGradientCanaries(round, included, terms, (done) => {
      if (done < terms.steps) round.kept(ledger.stepped(round.save()))
      onStep(done, terms.steps)
    })
  })
  return { ...judge(scores, included, curve, confidence), event, canaries }
}

/** Pays for the round in a ledger of its own, as a client does; the canaries are nobody's data, so it is thrown away. */
function withReservation<T>(
  event: PrivacyEvent,
  budget: { readonly epsilon: number; readonly delta: number },
  use: (reservation: Reservation, ledger: Pick<PrivacyLedger, 'stepped'>) => T,
): T {
  const stateDir = mkdtempSync(join(tmpdir(), 'fedsvd-audit-'))
  try {
    const hash = createHash('sha256').update('gradient canaries').digest('hex')
    using ledger = openLedger(stateDir, hash, budget)
    const runId = randomUUID()
    const { sampleRate, noiseMultiplier } = event
    ledger.bind({
      runId,
      coordinator: 'none: an audit',
      manifestSha256: hash,
      terms: { declaredRecords: 1, sampleRate, noiseMultiplier, budget },
      event,
    })
    return use(ledger.reserve(runId, 0), ledger)
  } finally {
    rmSync(stateDir, { recursive: true, force: true })
  }
}
