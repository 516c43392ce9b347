/*
 * What coordinators that share a database know of each other. Every time here is the database's: the clocks of the
 * machines may differ.
 */

/** The right to own a run. Each new owner gets the next epoch; a write under an older one is refused. */
export interface Lease {
  readonly runId: string
  /** The identifier of a coordinator's process, see `CoordinatorRecord`. */
  readonly owner: string
  readonly epoch: number
}

export interface CoordinatorRecord {
  /** Made anew at each start. */
  readonly id: string
  /** Fingerprint of what coordinators have to share: the secrets and the object store. */
  readonly shared: string
}

/** At which coordinator a client is connected; there is at most one connection of a client. */
export interface ConnectionRecord {
  readonly clientId: string
  readonly connectionId: string
  readonly coordinatorId: string
}

/** Which coordinators are alive. */
export interface CoordinatorStore {
  /** Says that a coordinator is alive for so long from now; false when it is not known, or no more. */
  heartbeat(coordinator: CoordinatorRecord, lifetimeMs: number): Promise<boolean>
  /** Those that are alive. */
  list(): Promise<readonly CoordinatorRecord[]>
  /** Ends a coordinator: its connections are forgotten, and its leases expire at once. */
  leave(coordinatorId: string): Promise<void>
  /**
   * Forgets the coordinators, and with them the connections, that have not been alive for so long; and spent nonces
   * that have expired.
   */
  sweep(deadForMs: number): Promise<void>
}

/** Which coordinator owns which run. */
export interface LeaseStore {
  /** Makes `owner` the owner of a run from now on, unless another coordinator has a lease that has not expired. */
  take(runId: string, owner: string, lifetimeMs: number): Promise<Lease | undefined>
  /**
   * Prolongs all leases of an owner that no other has taken over, also those that have expired; those of open runs are
   * returned.
   */
  renew(owner: string, lifetimeMs: number): Promise<readonly Lease[]>
  /** Ends a lease at once, so that others can take it. */
  release(lease: Lease): Promise<void>
  /** The coordinator that owns the run now. */
  ownerOf(runId: string): Promise<string | undefined>
  /** Open runs without an owner. */
  withoutOwner(): Promise<readonly string[]>
}

/** Where each client is connected. */
export interface ConnectionStore {
  /** The client is connected here, and nowhere else any more. False when the coordinator is not known. */
  connect(connection: ConnectionRecord): Promise<boolean>
  /** Adds connections of clients that are connected nowhere. */
  restore(connections: readonly ConnectionRecord[]): Promise<void>
  disconnect(connectionIds: readonly string[]): Promise<void>
  /** All connections to coordinators that are alive. */
  list(): Promise<readonly ConnectionRecord[]>
  isConnected(clientId: string, connectionId: string): Promise<boolean>
}

/** Nonces that have been used: each can be used once, at any of the coordinators. */
export interface NonceStore {
  /** False when it was spent before. */
  spend(nonce: string, lifetimeMs: number): Promise<boolean>
}
