import { verify } from 'node:crypto'
import { isFedsvdError } from '@fedsvd/core/errors'
import { publicKeyFrom } from '@fedsvd/engine/crypto'
import canonicalize from 'canonicalize'
import { z } from 'zod'
import type { PendingRun } from './pending-run.ts'

/*
 * What somebody at the site decided about a run, signed with the key of the site. It is bound to the manifest that was
 * looked at, and to the most that the run may cost.
 */

export const decisionSchema = z.strictObject({
  decision: z.enum(['approved', 'declined']),
  runId: z.uuid(),
  coordinator: z.string(),
  manifestSha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Name of the budget that pays. */
  budget: z.string(),
  /** The most that the run may be granted. */
  epsilon: z.number().positive(),
  delta: z.number().positive(),
  at: z.iso.datetime(),
  /** Ed25519, base64url. */
  signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/),
})
export type Decision = z.infer<typeof decisionSchema>

/** No other signature of fedsvd is made over a text that begins so. */
const DOMAIN = 'fedsvd-approval-v1:'

/** The text that is signed. */
function signedText(decision: Omit<Decision, 'signature'>): string {
  return `${DOMAIN}${canonicalize({ ...decision, signature: undefined })}`
}

/** Decides about a run. @param sign signs a text with the key of the site, base64url */
export function decide(
  { runId, coordinator, manifestSha256, budget, terms }: PendingRun,
  decision: Decision['decision'],
  at: Date,
  sign: (text: string) => string,
): Decision {
  const { epsilon, delta } = terms.budget
  const unsigned = { decision, runId, coordinator, manifestSha256, budget, epsilon, delta, at: at.toISOString() }
  return { ...unsigned, signature: sign(signedText(unsigned)) }
}

/**
 * What was decided about this run; undefined for a decision about another manifest, coordinator, budget or a higher
 * cost, and for one that the site's key did not sign.
 *
 * @param publicKey raw 32-byte Ed25519 public key of the site, base64url
 */
export function decisionOn(run: PendingRun, decision: Decision, publicKey: string): Decision['decision'] | undefined {
  const isAbout =
    decision.runId === run.runId &&
    decision.coordinator === run.coordinator &&
    decision.manifestSha256 === run.manifestSha256 &&
    decision.budget === run.budget
  const { epsilon, delta } = run.terms.budget
  const isCovered = decision.decision === 'declined' || (epsilon <= decision.epsilon && delta <= decision.delta)
  return isAbout && isCovered && isSigned(decision, publicKey) ? decision.decision : undefined
}

function isSigned({ signature, ...decision }: Decision, publicKey: string): boolean {
  try {
    const bytes = Buffer.from(signedText(decision))
    return verify(null, bytes, publicKeyFrom(publicKey), Buffer.from(signature, 'base64url'))
  } catch (error) {
    if (isFedsvdError(error, 'SIGNATURE_INVALID')) return false
    throw error
  }
}
