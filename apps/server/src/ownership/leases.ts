import type { Lease, LeaseStore } from '../storage/records/index.ts'

/** The leases that this coordinator holds, as the database last confirmed them. */
export class Leases {
  readonly #held = new Map<string, Lease>()
  readonly #store: LeaseStore
  readonly #owner: string
  readonly #lifetimeMs: number

  constructor(store: LeaseStore, owner: string, lifetimeMs: number) {
    this.#store = store
    this.#owner = owner
    this.#lifetimeMs = lifetimeMs
  }

  of = (runId: string): Lease | undefined => this.#held.get(runId)

  async take(runId: string): Promise<boolean> {
    const lease = await this.#store.take(runId, this.#owner, this.#lifetimeMs)
    if (lease !== undefined) this.#held.set(runId, lease)
    return lease !== undefined
  }

  async release(runId: string): Promise<void> {
    const lease = this.#held.get(runId)
    if (lease === undefined) return
    this.#held.delete(runId)
    await this.#store.release(lease)
  }

  /**
   * Prolongs them. `lost` are runs that another coordinator has taken or that have ended; they are no longer held.
   * `idle` are runs that the database counts as this coordinator's and that it does not hold: an answer was lost.
   */
  async renew(): Promise<{ readonly lost: readonly string[]; readonly idle: readonly string[] }> {
    const before = [...this.#held.values()] // what is taken while the answer travels is not in it
    const renewed = new Map(
      (await this.#store.renew(this.#owner, this.#lifetimeMs)).map((lease) => [lease.runId, lease]),
    )
    const lost = before.filter((lease) => {
      return this.#held.get(lease.runId) === lease && renewed.get(lease.runId)?.epoch !== lease.epoch
    })
    for (const { runId } of lost) this.#held.delete(runId)
    const idle = [...renewed.keys()].filter((runId) => !this.#held.has(runId))
    return { lost: lost.map(({ runId }) => runId), idle }
  }
}
