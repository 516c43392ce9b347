import { FedsvdError } from '@fedsvd/core/errors'
import type {
  ClientSpending,
  LedgerReply,
  LedgerReport,
  PlanChange,
  RunManifest,
  RunRequest,
  RunSnapshot,
  RunState,
  UploadReply,
} from '@fedsvd/core/protocol'
import type { RandomSource } from '@fedsvd/core/random'
import { actorOf, type Caller } from '../identity/index.ts'
import type { ModelRegistry } from '../models/index.ts'
import { CentralLedger, ClientCaps } from '../privacy/index.ts'
import { Gate, pause, receiveUpdate, reduceRound, type UpdatePlace } from '../rounds/index.ts'
import type { AuditDraft, RunChange, RunRecord } from '../store/index.ts'
import { createRun } from './create-run.ts'
import { drive, type Ending } from './drive.ts'
import { acceptLedgerReport } from './ledger-report.ts'
import { LiveRun, type RunParts } from './live-run.ts'
import { osRandomness } from './os-randomness.ts'
import { changePlan } from './plan.ts'
import { snapshotOf } from './snapshot.ts'
import { Visitors } from './visitors.ts'

const OPEN = ['waiting', 'running'] as const
const NOT_ENDED = [...OPEN, 'paused'] as const
const UPDATES_IN_MEMORY = 4
/** Rounds in a snapshot that is sent at every change, or in a list. */
const NEWEST = 20

export interface ConductorParts extends Omit<RunParts, 'central' | 'caps' | 'noiseSource'> {
  readonly models: ModelRegistry
  /** Randomness for one draw of the coordinator's own noise; the operating system's unless a test says otherwise. */
  readonly noiseSource?: () => RandomSource
  readonly isConnected: (clientId: string) => boolean
}

/** All runs of this coordinator: opens, resumes, drives and ends them, and brings clients to them. */
export class Conductor implements AsyncDisposable {
  readonly #parts: ConductorParts & RunParts
  readonly #live = new Map<string, LiveRun>()
  readonly #drivers = new Map<string, Promise<void>>()
  readonly #visitors: Visitors
  readonly #gate = new Gate(UPDATES_IN_MEMORY)
  #isDraining = false

  constructor(parts: ConductorParts) {
    const { store, bounds, clock } = parts
    const central = new CentralLedger({ store: store.ledger, bounds, now: () => clock.now() })
    const caps = new ClientCaps({
      clients: store.clients,
      ledger: store.ledger,
      bounds,
      runs: () => this.#live.values(),
    })
    this.#parts = { noiseSource: () => osRandomness, ...parts, central, caps }
    this.#visitors = new Visitors({ ...parts, liveRuns: () => this.#live.values() })
  }

  /** Takes up every run that has not ended, exactly where it is stored to be. */
  async resume(): Promise<void> {
    await this.#parts.central.load()
    await this.#parts.caps.load()
    for (const run of await this.#parts.store.runs.list()) {
      if (OPEN.some((state) => state === run.state)) await this.#open(run)
    }
  }

  async createRun(request: RunRequest, by: Caller): Promise<RunManifest> {
    const { clock } = this.#parts
    const run = await createRun(request, { ...this.#parts, now: () => clock.now(), by })
    this.#visitors.offer(await this.#open(run))
    return run.manifest
  }

  /** @throws FedsvdError RUN_NOT_FOUND, or RUN_STATE when it has ended already */
  async stopRun(runId: string, by: Caller): Promise<RunSnapshot> {
    const reason = 'stopped by an operator'
    const now = this.#parts.clock.now()
    const audit = { at: now, actor: actorOf(by), action: 'run.stop', object: `run:${runId}`, detail: {} }
    await this.#move(runId, NOT_ENDED, { state: 'stopped', reason, endedAt: now }, audit)
    await this.#halt(runId, reason)
    await this.#visitors.announce(runId, { state: 'stopped', reason })
    return await this.snapshot(runId)
  }

  /**
   * Lets a run stand still: its round stays as it is stored, no round begins, and clients hold. A round whose updates are
   * being aggregated at this moment is published first.
   *
   * @throws FedsvdError RUN_NOT_FOUND, or RUN_STATE when it is paused already or has ended
   */
  async pauseRun(runId: string, by: Caller): Promise<RunSnapshot> {
    const at = this.#parts.clock.now()
    const audit = { at, actor: actorOf(by), action: 'run.pause', object: `run:${runId}`, detail: {} }
    await this.#move(runId, OPEN, { state: 'paused' }, audit)
    await this.#halt(runId, 'paused by an operator')
    await this.#visitors.announcePause(runId)
    return await this.snapshot(runId)
  }

  /** Takes a paused run up where it stood, with a whole term for its round. @throws FedsvdError as `pauseRun` does */
  async resumeRun(runId: string, by: Caller): Promise<RunSnapshot> {
    const { store, clock } = this.#parts
    const at = clock.now()
    const audit = { at, actor: actorOf(by), action: 'run.resume', object: `run:${runId}`, detail: {} }
    const before = await store.rounds.find(runId, await store.rounds.publishedCount(runId))
    const isPaused = (await this.#find(runId)).state === 'paused'
    if (isPaused && before !== undefined) {
      const after = reduceRound(before, { type: 'resumed', at })
      if (after !== before) await store.rounds.save({ before, after, spent: [], released: [] })
    }
    const state = before === undefined && (await store.rounds.publishedCount(runId)) === 0 ? 'waiting' : 'running'
    await this.#move(runId, ['paused'], { state }, audit)
    this.#visitors.offer(await this.#open(await this.#find(runId)))
    return await this.snapshot(runId)
  }

  /** Changes what a run goes by from its next round on. @throws FedsvdError RUN_NOT_FOUND, or as `changePlan` does */
  async changePlan(runId: string, change: PlanChange, by: Caller): Promise<RunSnapshot> {
    const { store, clock } = this.#parts
    const { manifest } = await this.#find(runId)
    const audit = { at: clock.now(), actor: actorOf(by), action: 'run.plan', object: `run:${runId}`, detail: {} }
    const plan = await changePlan(manifest, { store, change, audit })
    this.#live.get(runId)?.planChanged(plan)
    this.#parts.onChange(runId) // a paused run is told of as well
    return await this.snapshot(runId)
  }

  async snapshot(runId: string): Promise<RunSnapshot> {
    return await this.#snapshotOf(await this.#find(runId))
  }

  /** A snapshot with the newest rounds, together with the operator whose run it is. */
  async ownedSnapshot(runId: string): Promise<{ readonly snapshot: RunSnapshot; readonly ownerId?: string }> {
    const run = await this.#find(runId)
    return { snapshot: await this.#snapshotOf(run, NEWEST), ...(run.ownerId !== undefined && { ownerId: run.ownerId }) }
  }

  /** Of the runs that fit, the newest first; with the newest rounds of each. */
  async snapshots(fits: (run: RunRecord) => boolean): Promise<readonly RunSnapshot[]> {
    const runs = (await this.#parts.store.runs.list()).filter(fits)
    return await Promise.all(runs.map((run) => this.#snapshotOf(run, NEWEST)))
  }

  get liveRunIds(): readonly string[] {
    return [...this.#live.keys()]
  }

  /** A client has proved who it is; `connection` is aborted when its connection ends. */
  clientArrived(clientId: string, connection: AbortSignal): void {
    this.#visitors.arrived(clientId, connection)
  }

  async ledgerReport(clientId: string, report: LedgerReport): Promise<LedgerReply> {
    const { store, clock } = this.#parts
    const { runId } = report
    await this.#visitors.welcomed(clientId, runId)
    const live = this.#live.get(runId)
    const { manifest } = live ?? (await this.#find(runId))
    const participant =
      live?.participant(clientId) ??
      (await store.runs.participants(runId)).find((candidate) => candidate.clientId === clientId)
    if (participant === undefined) {
      throw new FedsvdError('FORBIDDEN', {
        expected: 'a report from a client that takes part in the run',
        got: `client ${clientId}, which does not`,
        remedy: 'Accept the offer of the run first.',
      })
    }
    const reply = await acceptLedgerReport(report, { manifest, participant, store, now: clock.now(), live })
    if (!reply.agrees) this.#parts.metrics.ledgerDisagreements.inc()
    if (live === undefined) await this.#parts.caps.load()
    return reply
  }

  /** The cap of a client, and what other runs than this one have spent of it. */
  capIn(runId: string, clientId: string): ClientSpending['cap'] {
    const { caps } = this.#parts
    const cap = caps.of(clientId)
    if (cap === undefined) return undefined
    const elsewhere = caps.eventsOf(clientId, runId).map(({ sampleRate, noiseMultiplier, steps }) => {
      return { sampleRate, noiseMultiplier, steps }
    })
    return { epsilon: cap.epsilon, delta: cap.delta, elsewhere }
  }

  /** Caps have been set: whoever selects clients, and whoever watches, sees them from now on. */
  async capsChanged(): Promise<void> {
    await this.#parts.caps.load()
    for (const live of this.#live.values()) live.changedOutside()
  }

  /** Takes in one update. @throws FedsvdError as `receiveUpdate` does, or RUN_NOT_FOUND */
  async receiveUpdate(runId: string, place: UpdatePlace, stream: AsyncIterable<Uint8Array>): Promise<UploadReply> {
    const { store, blobs } = this.#parts
    const live = this.#live.get(runId)
    const record = live === undefined ? await this.#find(runId) : undefined
    const { manifest } = live ?? record!
    const current = live?.current
    const stored = current?.round !== place.round ? await store.rounds.find(runId, place.round) : undefined
    const terms = live?.participant(place.clientId)?.terms
    const isPaused = record?.state === 'paused'
    return await receiveUpdate({ manifest, place, stream, blobs, terms, isPaused, current, stored, gate: this.#gate })
  }

  /**
   * Begins nothing any more: no round, no invitation, no offer. Updates that are on their way are still taken in; what they
   * complete is taken up by the next process, like everything else that is durable.
   */
  async drain(): Promise<void> {
    this.#isDraining = true
    for (const live of this.#live.values()) live.abort('the coordinator shuts down')
    await Promise.all(this.#drivers.values())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain()
    await Promise.all(Array.from(this.#live.values(), (live) => this.#close(live)))
  }

  async #open(run: RunRecord): Promise<LiveRun> {
    const { runId } = run.manifest
    const live = await LiveRun.load(run, this.#parts)
    this.#live.set(runId, live)
    this.#parts.metrics.liveRuns.set(this.#live.size)
    if (!this.#isDraining) this.#drivers.set(runId, this.#drive(live))
    this.#parts.onChange(runId)
    return live
  }

  async #drive(live: LiveRun): Promise<void> {
    const ending = await drive(live)
    if (ending !== undefined) await this.#end(live, ending)
    this.#drivers.delete(live.manifest.runId)
    if (!this.#isDraining) await this.#close(live)
  }

  async #close(live: LiveRun): Promise<void> {
    const { log, onChange, metrics } = this.#parts
    const { runId } = live.manifest
    await live.evaluations[Symbol.asyncDispose]().catch((error: unknown) =>
      log.error({ err: error, runId }, 'evaluator not closed'),
    )
    await this.#parts.caps.load().catch((error: unknown) => log.error({ err: error, runId }, 'caps not read'))
    if (this.#live.get(runId) === live) this.#live.delete(runId)
    metrics.liveRuns.set(this.#live.size)
    onChange(runId)
  }

  async #end(live: LiveRun, ending: Ending): Promise<void> {
    const { store, log, clock } = this.#parts
    const { runId } = live.manifest
    while (!live.signal.aborted) {
      try {
        if (!(await store.runs.move(runId, OPEN, { ...ending, endedAt: clock.now() }))) return // paused or stopped just now
        log.info({ runId, ...ending }, 'run ended')
        await this.#visitors.announce(runId, ending)
        return
      } catch (error) {
        log.error({ err: error, runId }, 'the end of a run could not be stored yet')
        await pause(clock, 1000, live.signal)
      }
    }
  }

  /** Stops driving a run that has just been moved out of an open state. */
  async #halt(runId: string, reason: string): Promise<void> {
    this.#live.get(runId)?.abort(reason)
    await this.#drivers.get(runId)
  }

  async #move(runId: string, from: readonly RunState[], to: RunChange, audit: AuditDraft): Promise<void> {
    const { state } = await this.#find(runId)
    if (await this.#parts.store.runs.move(runId, from, to, audit)) return
    throw new FedsvdError('RUN_STATE', {
      expected: `a run that is ${from.join(' or ')}`,
      got: state,
      remedy: 'Look at the run again: it is in another state by now.',
    })
  }

  async #find(runId: string): Promise<RunRecord> {
    const run = await this.#parts.store.runs.find(runId)
    if (run !== undefined) return run
    throw new FedsvdError('RUN_NOT_FOUND', {
      expected: 'the identifier of a run of this coordinator',
      got: runId.slice(0, 80),
      remedy: 'GET /v1/runs lists them.',
    })
  }

  #snapshotOf(run: RunRecord, newest?: number): Promise<RunSnapshot> {
    const { store, bounds, central, caps, isConnected } = this.#parts
    return snapshotOf(run, {
      store,
      bounds,
      central,
      caps,
      isConnected,
      live: this.#live.get(run.manifest.runId),
      newest,
    })
  }
}
