import type { ErrorCode } from '@fedsvd/core/errors'
import { ROUND_FAILURES, type RoundFailed } from '@fedsvd/core/protocol'

/**
 * The codes that a refusal of this site may carry to a coordinator, each with the reason why no record of the site
 * decides whether it is sent. Every other code stays here, and `SITE_DECLINED` goes out in its place.
 */
export const WIRE_CODES: Readonly<Partial<Record<ErrorCode, string>>> = {
  SITE_DECLINED: 'the code for everything that is not in this table',
  MESSAGE_INVALID: 'a function of the message that came',
  CONFIG_INVALID: 'a function of the manifest and of what the site declared: its task, its count of records',
  DELTA_TOO_LARGE: 'a function of the declared count and of the configured delta',
  LABEL_UNKNOWN: 'a function of the manifest and of the labels that the site declared',
  POLICY_REFUSED:
    'a function of the manifest, of the published state or of the invitation, of the configured limits and policy, and of the runs that were agreed to in this calendar month',
  RATE_LIMITED: 'a function of the number of offers that came, and of the configured limits',
  TERMS_CHANGED: 'a function of the manifest, and of the terms that this coordinator was told before',
  RUN_NOT_FOUND: 'a function of the offers that came from this coordinator',
  UPDATE_STALE: 'a function of the invitations, closed rounds and ended runs that came from this coordinator',
  LEDGER_MISMATCH: 'the answer of this coordinator to a report, given back',
  BUDGET_TOO_SMALL:
    'a function of events in the ledger: rates, multipliers and steps, of this and of other coordinators',
  BUDGET_EXHAUSTED: 'as BUDGET_TOO_SMALL',
  CHECKPOINT_INVALID: 'a function of the files of models, which hold no records',
  HUB_UNAVAILABLE: 'a function of the network between the site and the hub',
  RUNTIME_UNAVAILABLE: 'a function of the machine: it is tried on made-up records before any other',
  STORAGE_UNAVAILABLE: 'a function of the free space of the machine',
  FRAME_MALFORMED: 'a function of the published state',
  FRAME_TOO_LARGE: 'a function of the published state and of the invitation',
  FRAME_CHECKSUM: 'a function of the published state',
  SHAPE_MISMATCH: 'a function of the published state',
  NOT_FINITE: 'a function of the published state, or of noised values of a round that diverged',
  BLOB_NOT_FOUND: 'the answer of this coordinator to a request, given back',
}

/** The code under which a refusal leaves the site. */
export function wireCode(code: ErrorCode): ErrorCode {
  return code in WIRE_CODES ? code : 'SITE_DECLINED'
}

/** The code under which a failed round is told: one of `ROUND_FAILURES`, or `SITE_DECLINED` in its place. */
export function roundFailureCode(code: ErrorCode): RoundFailed['code'] {
  return ROUND_FAILURES.find((failure) => failure === code && code in WIRE_CODES) ?? 'SITE_DECLINED'
}
