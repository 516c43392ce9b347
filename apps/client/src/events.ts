import type { SiteUnit } from '@fedsvd/core/accounting'
import type { ErrorCode, ErrorDetail } from '@fedsvd/core/errors'
import type { Budget, PrivacyTerms } from '@fedsvd/core/protocol'
import type { LeftOut } from '@fedsvd/engine/datasets'
import type { PendingRun } from './approvals/index.ts'
import type { BudgetInUse } from './ledger/index.ts'

type ErrorFact = { code: ErrorCode } & ErrorDetail

/** What a node tells the people at its own site. None of it is sent anywhere. */
export type ClientEvent =
  /** `rows` were read from `files` files: each is one of the `records`, names no person, or is left out. */
  | {
      event: 'data-loaded'
      files: number
      rows: number
      records: number
      fingerprint: string
      unit: SiteUnit
      withoutUnit: number
      leftOut: number
    }
  /** Others on this machine can look into the state folder, or change it: its rights, such as 755. */
  | { event: 'state-exposed'; path: string; rights: string }
  /** So many ledgers of earlier releases or other folders count in the budget of this site. */
  | { event: 'ledgers-adopted'; count: number }
  /**
   * Records that are not trained on: rows that are none, or with a run those that it cannot take. Private, like all
   * counts.
   */
  | { event: 'records-left-out'; runId?: string; count: number; reasons: LeftOut['reasons']; first?: ErrorFact }
  /**
   * The budget that holds, told at each start: `asked` is what the client was started with, which `source` says to be
   * what holds, unless the ledger has another. `epsilonCharged` of it is spent, by the ledger's rule, and `remaining`
   * left. `ledger` is its file.
   */
  | {
      event: 'budget'
      name: string
      budget: Budget
      asked: Budget
      source: 'settings' | 'ledger'
      unit: SiteUnit
      epsilonCharged: number
      remaining: number
      ledger: string
      renewed?: BudgetInUse['renewed']
    }
  /** A new period of the budget has begun: what was released before counts in its own. */
  | { event: 'budget-renewed'; name: string; from: string; budget: Budget }
  /** What the site declares, beside what is true of it. */
  | { event: 'declared'; declaredRecords: number; records: number; labels?: readonly string[] }
  /** The files of the data were touched: what is trained on is what they held at the start. */
  | { event: 'data-changed'; path: string }
  | { event: 'waiting'; coordinator: string }
  | { event: 'enrolled'; clientId: string }
  /** By long polling where WebSocket is blocked on the way. */
  | { event: 'connected'; coordinator: string; clientId: string; transport?: 'polling' }
  | { event: 'disconnected'; reason: string }
  | { event: 'unreachable'; error: ErrorFact }
  /** The coordinator turned this node away for good. */
  | { event: 'refused'; error: ErrorFact }
  /** A message that made no sense was dropped; nothing else happened. */
  | { event: 'dropped'; error: ErrorFact }
  | { event: 'joined'; runId: string; name: string; terms: PrivacyTerms; unit: SiteUnit }
  /** The run waits for `fedsvd site approve` or `fedsvd site decline`; the coordinator hears nothing of it. */
  | { event: 'pending'; run: PendingRun }
  | { event: 'declined'; runId: string; name?: string; round?: number; error: ErrorFact }
  | { event: 'round-started'; runId: string; round: number; rounds: number }
  /** The budget pays for no more than `steps` of the `of` steps that the rounds of the run have. */
  | { event: 'round-shortened'; runId: string; round: number; steps: number; of: number }
  /** The units set aside cannot pay for the evaluation of this round: the update leaves without it. */
  | { event: 'not-evaluated'; runId: string; round: number }
  /** An interrupted round resumes after this step; one more step was paid for where the budget had one. */
  | { event: 'round-resumed'; runId: string; round: number; step: number; steps: number }
  /** Within a step, after each micro-batch: `done` of the `of` records of the lot, both private. */
  | { event: 'part'; runId: string; round: number; step: number; steps: number; done: number; of: number }
  /**
   * `records` are those of the lot, `leftOut` those among them that contributed zeros: the model cannot take them, or
   * their gradients are not finite. Both are private.
   */
  | {
      event: 'step'
      runId: string
      round: number
      step: number
      steps: number
      records: number
      leftOut: number
      seconds: number
    }
  /**
   * Updates of the run leave at the end of slots of this length, however long a round trains; `fits` unless that is
   * beyond the deadline of its rounds. 0: they leave when they are made, and their times are not protected.
   */
  | { event: 'release-slot'; runId: string; seconds: number; fits: boolean }
  /**
   * The engine failed on records of a lot, which contribute zeros: the step was noised and paid for. The first error.
   */
  | { event: 'lot-failed'; runId: string; round: number; step: number; steps: number; error: ErrorFact }
  /** The disk takes no more: the round, or the agreement to the run, waits for room. */
  | { event: 'disk-full'; runId: string; round?: number; error: ErrorFact }
  /** There is room again, and it goes on. */
  | { event: 'disk-has-room'; runId: string; round?: number }
  | { event: 'round-delivered'; runId: string; round: number; events: number }
  | { event: 'round-failed'; runId: string; round: number; error: ErrorFact }
  | { event: 'ledger-mismatch'; runId: string; error?: ErrorFact }
  /** The operators of the run paused it; the round at work here, if there is one, is held. */
  | { event: 'run-paused'; runId: string; round?: number }
  | { event: 'run-ended'; runId: string; state: string; reason?: string }

export function leftOutEvent({ count, reasons, first }: LeftOut, runId?: string): ClientEvent {
  const run = runId === undefined ? {} : { runId }
  return { event: 'records-left-out', ...run, count, reasons, ...(first && { first: first.toJSON() }) }
}
