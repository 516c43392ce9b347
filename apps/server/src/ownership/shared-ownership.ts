import type { LedgerReply, LedgerReport, RoundFailed } from '@fedsvd/core/protocol'
import type { Store } from '../storage/records/index.ts'
import type { Channel } from './channel.ts'
import type { Leases } from './leases.ts'
import { type Delivery, noOwner, type RunOwnership } from './run-ownership.ts'

export interface SharedOwnershipParts {
  /** This coordinator. */
  readonly id: string
  readonly store: Store
  readonly leases: Leases
  readonly channel: Channel
  /** True once this coordinator acquires no run any more. */
  readonly isLeaving: () => boolean
}

const CALL_TIMEOUT_MS = 10_000

/** Runs that are shared among coordinators by leases in their database. */
export class SharedOwnership implements RunOwnership {
  readonly store: Store
  readonly #parts: SharedOwnershipParts

  constructor(parts: SharedOwnershipParts) {
    this.#parts = parts
    this.store = parts.store.fencedBy(parts.leases.of)
  }

  take = async (runId: string): Promise<boolean> => {
    const { leases, isLeaving } = this.#parts
    return !isLeaving() && (await leases.take(runId))
  }

  release = async (runId: string): Promise<void> => {
    const { leases, channel } = this.#parts
    await leases.release(runId)
    channel.tell('free', null)
  }

  ended = (runId: string): void => this.#parts.channel.tell('ended', runId)

  deliver = async (delivery: Delivery): Promise<void> => {
    await this.#callOwner(delivery.runId, 'deliver', delivery)
  }

  report = async (clientId: string, report: LedgerReport): Promise<LedgerReply> =>
    (await this.#callOwner(report.runId, 'report', { clientId, report })) as LedgerReply

  failed = async (clientId: string, failure: RoundFailed): Promise<void> => {
    await this.#callOwner(failure.runId, 'failed', { clientId, failure })
  }

  async #callOwner(runId: string, name: string, body: unknown): Promise<unknown> {
    const { id, store, channel } = this.#parts
    const owner = await store.leases.ownerOf(runId)
    if (owner === undefined || owner === id) throw noOwner()
    return await channel.call(owner, name, body, AbortSignal.timeout(CALL_TIMEOUT_MS))
  }
}
