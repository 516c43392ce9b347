/*
 * What coordinators that share a database know of each other. Every time here is the database's: the clocks of the
 * machines may differ.
 */

/** The right to drive a run. Each new driver gets the next epoch; a write under an older one is refused. */
export interface Lease {
  readonly runId: string
  /** Which life of which coordinator. */
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

export interface ClusterStore {
  /** Says that a coordinator is alive for so long from now; false when it is not known, or no more. */
  beat(coordinator: CoordinatorRecord, lifetimeMs: number): Promise<boolean>
  /** Those that are alive. */
  coordinators(): Promise<readonly CoordinatorRecord[]>
  /** Ends a coordinator: its connections are forgotten, and its runs are free. */
  leave(coordinatorId: string): Promise<void>
  /**
   * Forgets the coordinators, and with them the connections, that have not been alive for so long; and spent nonces
   * that have expired.
   */
  sweep(deadForMs: number): Promise<void>

  /** The right to drive a run from now on, unless another coordinator has it. */
  take(runId: string, owner: string, lifetimeMs: number): Promise<Lease | undefined>
  /**
   * Prolongs all leases of an owner that nobody has taken over, also those that have expired; those of open runs are
   * returned.
   */
  renew(owner: string, lifetimeMs: number): Promise<readonly Lease[]>
  /** Frees a run for others at once. */
  release(lease: Lease): Promise<void>
  /** The coordinator that drives the run now. */
  driverOf(runId: string): Promise<string | undefined>
  /** Open runs that nobody drives. */
  withoutOwner(): Promise<readonly string[]>

  /** The client is connected here, and nowhere else any more. False when the coordinator is not known. */
  connect(connection: ConnectionRecord): Promise<boolean>
  /** Adds connections of clients that are connected nowhere. */
  restore(connections: readonly ConnectionRecord[]): Promise<void>
  disconnect(connectionIds: readonly string[]): Promise<void>
  /** All connections to coordinators that are alive. */
  connections(): Promise<readonly ConnectionRecord[]>
  isConnected(clientId: string, connectionId: string): Promise<boolean>
  /** False when it was spent before. */
  spendNonce(nonce: string, lifetimeMs: number): Promise<boolean>
}
