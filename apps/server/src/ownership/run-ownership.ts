import { FedsvdError } from '@fedsvd/core/errors'
import type { LedgerReply, LedgerReport, RoundFailed } from '@fedsvd/core/protocol'
import type { BlobRef, Store } from '../storage/records/index.ts'

/** An update that has been checked and is in the object store: all that is left is to count it. */
export interface Delivery {
  readonly runId: string
  readonly round: number
  readonly clientId: string
  readonly update: BlobRef
}

/** How a coordinator shares runs with the other coordinators on its database. Each run has one owner at a time. */
export interface RunOwnership {
  /** The store as an owner writes to it: refused with LEASE_LOST once another coordinator has taken the run over. */
  readonly store: Store
  /** True when this coordinator owns the run from now on. */
  take(runId: string): Promise<boolean>
  /** Gives the run up, so that another coordinator can take it. */
  release(runId: string): Promise<void>
  /** Tells the others that a run has been paused or has ended in the database, at whichever coordinator. */
  ended(runId: string): void
  /**
   * Lets the owner of a run count an update. @throws FedsvdError as the owner does, COORDINATOR_UNREACHABLE without one
   */
  deliver(delivery: Delivery): Promise<void>
  /**
   * Lets the owner of a run answer a report. @throws FedsvdError as the owner does, COORDINATOR_UNREACHABLE without one
   */
  report(clientId: string, report: LedgerReport): Promise<LedgerReply>
  /**
   * Tells the owner of a run that a round failed at a client. @throws FedsvdError COORDINATOR_UNREACHABLE without one
   */
  failed(clientId: string, failure: RoundFailed): Promise<void>
}

/** For a coordinator that has its database to itself: it owns every run, and there is no other to call. */
export function singleNodeOwnership(store: Store): RunOwnership {
  const noOther = async (): Promise<never> => {
    throw noOwner()
  }
  return {
    store,
    take: async () => true,
    release: async () => {},
    ended: () => {},
    deliver: noOther,
    report: noOther,
    failed: noOther,
  }
}

/** No coordinator owns the run at this moment. */
export function noOwner(): FedsvdError {
  return new FedsvdError('COORDINATOR_UNREACHABLE', {
    expected: 'a coordinator that owns the run',
    got: 'a run without an owner at this moment',
    remedy: 'Try again.',
  })
}
