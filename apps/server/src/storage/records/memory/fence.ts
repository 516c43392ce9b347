import { leaseLost } from '../refusals.ts'
import type { LeaseOf } from '../store.ts'
import type { Tables } from './tables.ts'

/** @throws FedsvdError LEASE_LOST unless the run's lease is the one that the process holds */
export type Fence = (runId: string) => void

/** Lets everybody pass where there are no leases. */
export function fence({ cluster }: Tables, leaseOf: LeaseOf | undefined): Fence {
  if (leaseOf === undefined) return () => {}
  return (runId) => {
    const [held, stored] = [leaseOf(runId), cluster.leases.get(runId)]
    if (held === undefined || stored?.owner !== held.owner || stored.epoch !== held.epoch) throw leaseLost(runId)
  }
}
