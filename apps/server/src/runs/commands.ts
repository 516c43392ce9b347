import { FedsvdError } from '@fedsvd/core/errors'
import {
  ACTIVE_RUN_STATES,
  type KeepStates,
  OPEN_RUN_STATES,
  type PlanChange,
  type RunManifest,
  type RunRequest,
  type RunState,
} from '@fedsvd/core/protocol'
import { actorOf, type Caller } from '../identity/index.ts'
import type { ModelRegistry } from '../models/index.ts'
import { reduceRound } from '../rounds/index.ts'
import type { AuditDraft, RunChange } from '../storage/records/index.ts'
import type { ActiveRun } from './active-run.ts'
import type { ConnectedClients } from './connected-clients.ts'
import { createRun, planRun } from './create-run.ts'
import { participantIn } from './participant.ts'
import { changePlan } from './plan.ts'
import type { RunRegistry } from './registry.ts'
import type { RunParts } from './run-parts.ts'

export interface RunCommandsParts extends Pick<RunParts, 'store' | 'blobs' | 'bounds' | 'caps' | 'clock' | 'events'> {
  readonly models: ModelRegistry
  /** Which states of a run stay where its request says nothing. */
  readonly keepStates: KeepStates
  readonly registry: RunRegistry
  readonly connectedClients: ConnectedClients
  readonly active: ReadonlyMap<string, ActiveRun>
}

/** What operators do with runs. Each command is durable, and in the audit log, before it has an effect. */
export class RunCommands {
  readonly #parts: RunCommandsParts

  constructor(parts: RunCommandsParts) {
    this.#parts = parts
  }

  /** @throws FedsvdError as `createRun` does */
  async create(request: RunRequest, by: Caller): Promise<RunManifest> {
    const { clock, registry } = this.#parts
    const { manifest } = await createRun(request, { ...this.#parts, now: () => clock.now(), by })
    await registry.acquire(manifest.runId)
    return manifest
  }

  /** Checks a request as `create` does and opens nothing. @throws FedsvdError as `planRun` does */
  async plan(request: RunRequest, by: Caller): Promise<RunManifest> {
    return (await planRun(request, { ...this.#parts, by })).manifest
  }

  /** @throws FedsvdError RUN_NOT_FOUND, or RUN_STATE when it has ended already */
  async stop(runId: string, by: Caller): Promise<void> {
    const { registry, connectedClients } = this.#parts
    const reason = 'stopped by an operator'
    const audit = this.#audit({ action: 'run.stop', runId, by })
    await this.#move(runId, OPEN_RUN_STATES, { state: 'stopped', reason, endedAt: audit.at }, audit)
    await registry.halt(runId, reason)
    await connectedClients.announce(runId, { state: 'stopped', reason })
  }

  /**
   * Lets a run stand still: its round stays as it is stored, no round begins, and clients hold. A round whose updates
   * are being aggregated at this moment is published first.
   *
   * @throws FedsvdError RUN_NOT_FOUND, or RUN_STATE when it is paused already or has ended
   */
  async pause(runId: string, by: Caller): Promise<void> {
    const { registry, connectedClients } = this.#parts
    const audit = this.#audit({ action: 'run.pause', runId, by })
    await this.#move(runId, ACTIVE_RUN_STATES, { state: 'paused' }, audit)
    await registry.halt(runId, 'paused by an operator')
    await connectedClients.announcePause(runId)
  }

  /** Goes on with a paused run where it stood, with a whole term for its round. @throws FedsvdError as `pause` does */
  async resume(runId: string, by: Caller): Promise<void> {
    const { store, registry } = this.#parts
    const audit = this.#audit({ action: 'run.resume', runId, by })
    const published = await store.rounds.publishedCount(runId)
    const before = await store.rounds.find(runId, published)
    const isPaused = (await registry.find(runId)).state === 'paused'
    if (isPaused && before !== undefined) {
      const after = reduceRound(before, { type: 'resumed', at: audit.at })
      if (after !== before) await store.rounds.save({ before, after, spent: [], refunded: [] })
    }
    const state = before === undefined && published === 0 ? 'waiting' : 'running'
    await this.#move(runId, ['paused'], { state }, audit)
    await registry.acquire(runId)
  }

  /** Changes what a run goes by from its next round on. @throws FedsvdError RUN_NOT_FOUND, or as `changePlan` does */
  async changePlan(runId: string, change: PlanChange, by: Caller): Promise<void> {
    const { store, registry, active, events } = this.#parts
    const { manifest } = await registry.find(runId)
    const audit = this.#audit({ action: 'run.plan', runId, by })
    const plan = await changePlan(manifest, { store, change, audit })
    active.get(runId)?.settings.planChanged(plan)
    events.emit('run.changed', runId) // a paused run is told of as well
  }

  /**
   * Sets aside what only the client has stated about a run, for good.
   *
   * @throws FedsvdError RUN_NOT_FOUND, or CLIENT_NOT_FOUND for a client that takes no part
   */
  async quarantine(runId: string, clientId: string, by: Caller): Promise<{ readonly facts: number }> {
    const { store, clock, registry, active, caps, events } = this.#parts
    await registry.find(runId)
    if ((await participantIn(store, runId, clientId)) === undefined) throw clientNotFound(clientId)
    const at = clock.now()
    const audit = {
      at,
      actor: actorOf(by),
      action: 'client.quarantine',
      object: `client:${clientId}`,
      detail: { run: runId },
    }
    const facts = await store.ledger.quarantine({ runId, clientId, at }, audit)
    const run = active.get(runId)
    if (run === undefined) events.emit('run.changed', runId)
    else await run.budgets.reload()
    await caps.load()
    return { facts }
  }

  /** Caps have been set: the selection of clients, and everyone who watches, sees them from now on. */
  async capsChanged(): Promise<void> {
    const { caps, active } = this.#parts
    await caps.load()
    for (const run of active.values()) run.budgets.capsChanged()
  }

  #audit({ action, runId, by }: { readonly action: string; readonly runId: string; readonly by: Caller }): AuditDraft {
    return { at: this.#parts.clock.now(), actor: actorOf(by), action, object: `run:${runId}`, detail: {} }
  }

  async #move(runId: string, from: readonly RunState[], to: RunChange, audit: AuditDraft): Promise<void> {
    const { store, registry } = this.#parts
    const { state } = await registry.find(runId)
    if (await store.runs.move(runId, from, to, audit)) return
    throw new FedsvdError('RUN_STATE', {
      expected: `a run that is ${from.join(' or ')}`,
      got: state,
      remedy: 'Look at the run again: it is in another state by now.',
    })
  }
}

function clientNotFound(clientId: string): FedsvdError {
  return new FedsvdError('CLIENT_NOT_FOUND', {
    expected: 'a client that takes part in the run',
    got: clientId,
    remedy: 'GET /v1/runs/:runId lists those that do.',
  })
}
