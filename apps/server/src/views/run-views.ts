import {
  type ClientSpending,
  isRunOver,
  type PrivacyTerms,
  type RunManifest,
  type RunPrice,
  type RunSnapshot,
} from '@fedsvd/core/protocol'
import type { EpsilonBounds } from '../privacy/index.ts'
import type { Runs } from '../runs/index.ts'
import type { RunRecord, Store } from '../storage/records/index.ts'
import { runPrice } from './run-price.ts'
import { snapshotOf } from './snapshot.ts'

/** Rounds in a snapshot that is sent at every change, or in a list. */
const NEWEST = 20

export interface RunViewsParts {
  readonly store: Store
  readonly bounds: EpsilonBounds
  readonly isConnected: (clientId: string) => boolean
  readonly runs: Pick<Runs, 'registry' | 'active' | 'caps' | 'central'>
}

/** Runs as people see them: read from what is stored, and from the runs under way here. */
export class RunViews {
  readonly #parts: RunViewsParts

  constructor(parts: RunViewsParts) {
    this.#parts = parts
  }

  /** @throws FedsvdError RUN_NOT_FOUND */
  async snapshot(runId: string): Promise<RunSnapshot> {
    return await this.#snapshotOf(await this.#parts.runs.registry.find(runId))
  }

  /**
   * A snapshot with the newest rounds, together with the operator whose run it is. @throws FedsvdError RUN_NOT_FOUND
   */
  async ownedSnapshot(runId: string): Promise<{ readonly snapshot: RunSnapshot; readonly ownerId?: string }> {
    const run = await this.#parts.runs.registry.find(runId)
    return { snapshot: await this.#snapshotOf(run, NEWEST), ...(run.ownerId !== undefined && { ownerId: run.ownerId }) }
  }

  /** Of the runs that fit, the newest first; with the newest rounds of each. */
  async snapshots(fits: (run: RunRecord) => boolean): Promise<readonly RunSnapshot[]> {
    const runs = (await this.#parts.store.runs.list()).filter(fits)
    return await Promise.all(runs.map((run) => this.#snapshotOf(run, NEWEST)))
  }

  /** Of every run that is waiting or running, each with the operator whose run it is. */
  async openSnapshots(): Promise<readonly { readonly snapshot: RunSnapshot; readonly ownerId?: string }[]> {
    const snapshots = []
    for (const runId of await this.#parts.runs.registry.openRunIds()) snapshots.push(await this.ownedSnapshot(runId))
    return snapshots
  }

  /**
   * The cap of a client with these terms in a run, what other runs have spent of it, and by which rule it is held;
   * undefined for a run that has ended, which is a record.
   */
  async capIn(runId: string, clientId: string, terms: PrivacyTerms): Promise<ClientSpending['cap']> {
    const { caps } = this.#parts.runs
    const cap = caps.of(clientId)
    if (cap === undefined || isRunOver((await this.#parts.runs.registry.find(runId)).state)) return undefined
    const elsewhere = caps.eventsOf(clientId, runId).map(({ sampleRate, noiseMultiplier, steps }) => {
      return { sampleRate, noiseMultiplier, steps }
    })
    const rule = await caps.ruleOf(clientId, terms)
    return { epsilon: cap.epsilon, delta: cap.delta, elsewhere, ...(rule && { rule }) }
  }

  /** What a run would cost each client, before it is opened. */
  async price(manifest: RunManifest): Promise<RunPrice> {
    const { store, bounds, isConnected, runs } = this.#parts
    return await runPrice(manifest, { store, bounds, isConnected, caps: runs.caps })
  }

  #snapshotOf(run: RunRecord, newest?: number): Promise<RunSnapshot> {
    const { store, bounds, isConnected, runs } = this.#parts
    const { caps, central, active } = runs
    return snapshotOf(run, { store, bounds, central, caps, isConnected, live: active.get(run.manifest.runId), newest })
  }
}
