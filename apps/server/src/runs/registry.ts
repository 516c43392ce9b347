import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import { ACTIVE_RUN_STATES, isRunActive } from '@fedsvd/core/protocol'
import type { RunOwnership } from '../ownership/index.ts'
import { sleep } from '../platform/index.ts'
import type { RunRecord } from '../storage/records/index.ts'
import { ActiveRun } from './active-run.ts'
import type { ConnectedClients } from './connected-clients.ts'
import { type Ending, runUntilDone, type Standstill } from './run-loop.ts'
import type { RunParts } from './run-parts.ts'

export interface RunRegistryParts extends RunParts {
  readonly ownership: RunOwnership
  readonly connectedClients: ConnectedClients
  /** Filled here: the runs that this coordinator has acquired, by identifier. */
  readonly active: Map<string, ActiveRun>
}

/** The runs that this coordinator has acquired: each is loaded, run until it is done, and let go of, once at a time. */
export class RunRegistry implements AsyncDisposable {
  readonly #parts: RunRegistryParts
  readonly #loops = new Map<string, Promise<void>>()
  readonly #acquiring = new Map<string, Promise<void>>()
  #isDraining = false

  constructor(parts: RunRegistryParts) {
    this.#parts = parts
  }

  /** Acquires every run that has not ended and that no other coordinator owns, and resumes it from what is stored. */
  async resume(): Promise<void> {
    await this.#parts.central.load()
    await this.#parts.caps.load()
    for (const runId of await this.openRunIds()) await this.acquire(runId)
  }

  /** Acquires a run unless another coordinator owns it, or it is not open; once at a time. */
  async acquire(runId: string): Promise<void> {
    const acquiring = this.#acquiring.get(runId) ?? this.#acquire(runId).finally(() => this.#acquiring.delete(runId))
    this.#acquiring.set(runId, acquiring)
    await acquiring
  }

  /** Stops a run here, and writes nothing more of it: another coordinator owns it, or it is paused or has ended. */
  relinquish(runId: string): void {
    this.#parts.active.get(runId)?.abort('the run is owned by another coordinator, is paused, or has ended')
  }

  /** Stops a run that has just been moved out of an open state, here and elsewhere. */
  async halt(runId: string, reason: string): Promise<void> {
    const { active, ownership, events } = this.#parts
    active.get(runId)?.abort(reason)
    await this.#loops.get(runId)
    ownership.ended(runId)
    events.emit('run.changed', runId)
  }

  /** Runs that are waiting or running, at this coordinator or another. */
  async openRunIds(): Promise<readonly string[]> {
    return (await this.#parts.store.runs.list())
      .filter(({ state }) => isRunActive(state))
      .map(({ manifest }) => manifest.runId)
  }

  /** @throws FedsvdError RUN_NOT_FOUND */
  async find(runId: string): Promise<RunRecord> {
    const run = await this.#parts.store.runs.find(runId)
    if (run !== undefined) return run
    throw new FedsvdError('RUN_NOT_FOUND', {
      expected: 'the identifier of a run of this coordinator',
      got: runId.slice(0, 80),
      remedy: 'GET /v1/runs lists them.',
    })
  }

  /**
   * Begins nothing any more: no round, no invitation, no offer. Updates that are on their way are still taken in; what
   * they complete is taken up by the next process, or at once by another coordinator, like everything else that is
   * durable.
   */
  async drain(): Promise<void> {
    this.#isDraining = true
    await Promise.allSettled(this.#acquiring.values())
    for (const run of this.#parts.active.values()) run.abort('the coordinator shuts down')
    await Promise.all(this.#loops.values())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain()
    await Promise.all(Array.from(this.#parts.active.values(), (run) => this.#close(run)))
  }

  async #acquire(runId: string): Promise<void> {
    const { active, ownership, connectedClients } = this.#parts
    if (active.get(runId)?.time.signal.aborted) await this.#loops.get(runId)
    if (this.#isDraining || active.has(runId) || !(await ownership.take(runId))) return
    try {
      const run = await this.find(runId) // as its last owner left it: no other coordinator writes to it from now on
      if (isRunActive(run.state) && !this.#isDraining) connectedClients.offer(await this.#open(run))
      else await ownership.release(runId)
    } catch (error) {
      await ownership.release(runId).catch(() => {})
      throw error
    }
  }

  async #open(record: RunRecord): Promise<ActiveRun> {
    const { active, ownership, metrics, events } = this.#parts
    const { runId } = record.manifest
    const run = await ActiveRun.load(record, { ...this.#parts, store: ownership.store })
    active.set(runId, run)
    metrics.activeRuns.set(active.size)
    if (!this.#isDraining) this.#loops.set(runId, this.#startLoop(run))
    events.emit('run.changed', runId)
    return run
  }

  async #startLoop(run: ActiveRun): Promise<void> {
    const ending = await runUntilDone(run)
    if (ending !== undefined) await this.#end(run, ending)
    this.#loops.delete(run.runId)
    if (!this.#isDraining) await this.#close(run)
  }

  async #close(run: ActiveRun): Promise<void> {
    const { active, ownership, caps, log, events, metrics } = this.#parts
    const { runId } = run
    await run.evaluations[Symbol.asyncDispose]().catch((error: unknown) =>
      log.error({ err: error, runId }, 'closing the evaluator failed'),
    )
    await ownership
      .release(runId)
      .catch((error: unknown) => log.warn({ err: error, runId }, 'releasing the lease of a run failed'))
    await caps.load().catch((error: unknown) => log.error({ err: error, runId }, 'reading the caps of clients failed'))
    if (active.get(runId) === run) active.delete(runId)
    metrics.activeRuns.set(active.size)
    events.emit('run.changed', runId)
  }

  async #end(run: ActiveRun, ending: Ending | Standstill): Promise<void> {
    const { ownership, connectedClients, log, clock } = this.#parts
    const { runId } = run
    while (!run.time.signal.aborted) {
      try {
        const change = ending.state === 'paused' ? ending : { ...ending, endedAt: clock.now() }
        if (!(await ownership.store.runs.move(runId, ACTIVE_RUN_STATES, change))) return // paused or stopped just now
        log.info({ runId, ...ending }, ending.state === 'paused' ? 'run paused' : 'run ended')
        if (ending.state === 'paused') await connectedClients.announcePause(runId)
        else await connectedClients.announce(runId, ending)
        return
      } catch (error) {
        if (isFedsvdError(error, 'LEASE_LOST')) return
        log.error({ err: error, runId }, 'storing the end of a run failed; trying again')
        await sleep(clock, 1000, run.time.signal)
      }
    }
  }
}
