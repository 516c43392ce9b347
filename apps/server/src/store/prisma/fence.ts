import { leaseLost } from '../refusals.ts'
import type { LeaseOf } from '../store.ts'
import type { Prisma } from './generated/client.ts'

/**
 * Called first in each transaction that only a driver may make: holds the lease to its end, or refuses. Whoever wants to take
 * the run over waits until what is written is there to be seen. A lease that has expired is good as long as nobody has taken it.
 *
 * @throws FedsvdError LEASE_LOST
 */
export type Fence = (tx: Prisma.TransactionClient, runId: string) => Promise<void>

/** Lets everybody pass: there are no leases. */
export const NO_FENCE: Fence = async () => {}

export function fence(leaseOf: LeaseOf | undefined): Fence {
  if (leaseOf === undefined) return NO_FENCE
  return async (tx, runId) => {
    const lease = leaseOf(runId)
    if (lease === undefined) throw leaseLost(runId)
    const held = await tx.$queryRaw<unknown[]>`
      SELECT 1 FROM "RunLease"
      WHERE "runId" = ${runId}::uuid AND "owner" = ${lease.owner}::uuid AND "epoch" = ${lease.epoch} FOR SHARE`
    if (held.length === 0) throw leaseLost(runId)
  }
}
