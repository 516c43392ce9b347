import type { Lease } from '../coordinator-stores.ts'
import { leaseLost } from '../refusals.ts'
import type { LeaseOf } from '../store.ts'
import { Prisma } from './generated/client.ts'

/**
 * Called first in each transaction that only the owner of a run may make: locks the lease to its end, or refuses. A
 * coordinator that wants to take the run over waits for the transaction and sees what it wrote. A lease that has
 * expired is good until another coordinator has taken it.
 */
export interface Fence {
  /** @throws FedsvdError LEASE_LOST */
  (tx: Prisma.TransactionClient, runId: string): Promise<void>
  /**
   * The lease to hold, for a transaction that is one statement; undefined where there are none. @throws FedsvdError
   * LEASE_LOST
   */
  readonly leaseOf: (runId: string) => Lease | undefined
}

/** Checks nothing: there are no leases. */
const NO_FENCE: Fence = Object.assign(async () => {}, { leaseOf: () => undefined })

/** Selects the row of a lease that is still held, and keeps it locked to the end of the transaction. */
export function heldLease({ runId, owner, epoch }: Lease): Prisma.Sql {
  return Prisma.sql`
    SELECT 1 FROM "RunLease" WHERE "runId" = ${runId}::uuid AND "owner" = ${owner}::uuid AND "epoch" = ${epoch} FOR SHARE`
}

export function fence(leaseOf: LeaseOf | undefined): Fence {
  if (leaseOf === undefined) return NO_FENCE
  const required = (runId: string): Lease => {
    const lease = leaseOf(runId)
    if (lease === undefined) throw leaseLost(runId)
    return lease
  }
  const hold = async (tx: Prisma.TransactionClient, runId: string): Promise<void> => {
    const held = await tx.$queryRaw<unknown[]>(heldLease(required(runId)))
    if (held.length === 0) throw leaseLost(runId)
  }
  return Object.assign(hold, { leaseOf: required })
}
