import type { Attempt, LedgerState } from './state.ts'

/**
 * What became of an attempt, for people.
 *
 * | when | what it says |
 * | --- | --- |
 * | the coordinator answered | its answer |
 * | the frame is on disk | not delivered yet |
 * | a later attempt goes on from it | broke off with s steps kept, continued by attempt n |
 * | a later attempt began anew | given up, begun anew by attempt n |
 * | it is the newest, with steps kept | k of n steps kept, no result yet |
 * | it is the newest, with none | no result yet |
 *
 * Of the last two a ledger cannot say whether a client is at work on them or broke off.
 */
export function outcomeOf(state: LedgerState, attempt: Attempt): string {
  const { runId, round, saved, outcome, frameSha256 } = attempt
  if (outcome !== undefined) return outcome
  if (frameSha256 !== undefined) return 'not delivered yet'
  const next = state.attempts.find(
    (one) => one.runId === runId && one.round === round && one.attempt === attempt.attempt + 1,
  )
  if (next?.resumes)
    return `broke off with ${next.resumes.step} ${next.resumes.step === 1 ? 'step' : 'steps'} kept, continued by attempt ${next.attempt}`
  if (next) return `given up, begun anew by attempt ${next.attempt}`
  if (saved === undefined) return 'no result yet'
  return `${saved.step} of ${attempt.steps} steps kept, no result yet`
}
