import { FedsvdError } from '@fedsvd/core/errors'
import type {
  LedgerReply,
  LedgerReport,
  RunManifest,
  RunRequest,
  RunSnapshot,
  UploadReply,
} from '@fedsvd/core/protocol'
import type { RandomSource } from '@fedsvd/core/random'
import { actorOf, type Caller } from '../identity/index.ts'
import type { ModelRegistry } from '../models/index.ts'
import { CentralLedger } from '../privacy/index.ts'
import { Gate, pause, receiveUpdate, type UpdatePlace } from '../rounds/index.ts'
import type { RunRecord } from '../store/index.ts'
import { createRun } from './create-run.ts'
import { drive, type Ending } from './drive.ts'
import { acceptLedgerReport } from './ledger-report.ts'
import { LiveRun, type RunParts } from './live-run.ts'
import { osRandomness } from './os-randomness.ts'
import { snapshotOf } from './snapshot.ts'
import { Visitors } from './visitors.ts'

const OPEN = ['waiting', 'running'] as const
const UPDATES_IN_MEMORY = 4

export interface ConductorParts extends Omit<RunParts, 'central' | 'noiseSource'> {
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

  constructor(parts: ConductorParts) {
    const { store, bounds, clock } = parts
    const central = new CentralLedger({ store: store.ledger, bounds, now: () => clock.now() })
    this.#parts = { noiseSource: () => osRandomness, ...parts, central }
    this.#visitors = new Visitors({ ...parts, liveRuns: () => this.#live.values() })
  }

  /** Takes up every run that has not ended, exactly where it is stored to be. */
  async resume(): Promise<void> {
    await this.#parts.central.load()
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
    const run = await this.#find(runId)
    const reason = 'stopped by an operator'
    const now = this.#parts.clock.now()
    const audit = { at: now, actor: actorOf(by), action: 'run.stop', object: `run:${runId}`, detail: {} }
    const change = { state: 'stopped', reason, endedAt: now } as const
    const isMoved = await this.#parts.store.runs.move(runId, OPEN, change, audit)
    if (!isMoved) {
      throw new FedsvdError('RUN_STATE', {
        expected: 'a run that is waiting or running',
        got: run.state,
        remedy: 'Nothing is left to stop.',
      })
    }
    this.#live.get(runId)?.abort(reason)
    await this.#drivers.get(runId)
    await this.#visitors.announce(runId, { state: 'stopped', reason })
    return await this.snapshot(runId)
  }

  async snapshot(runId: string): Promise<RunSnapshot> {
    return await this.#snapshotOf(await this.#find(runId))
  }

  /** A snapshot together with the operator whose run it is. */
  async ownedSnapshot(runId: string): Promise<{ readonly snapshot: RunSnapshot; readonly ownerId?: string }> {
    const run = await this.#find(runId)
    return { snapshot: await this.#snapshotOf(run), ...(run.ownerId !== undefined && { ownerId: run.ownerId }) }
  }

  /** Of the runs that fit, the newest first. */
  async snapshots(fits: (run: RunRecord) => boolean): Promise<readonly RunSnapshot[]> {
    const runs = (await this.#parts.store.runs.list()).filter(fits)
    return await Promise.all(runs.map((run) => this.#snapshotOf(run)))
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
    const run = await this.#find(runId)
    const live = this.#live.get(runId)
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
    const reply = await acceptLedgerReport(report, { run, participant, store, now: clock.now(), live })
    if (!reply.agrees) this.#parts.metrics.ledgerDisagreements.inc()
    return reply
  }

  /** Takes in one update. @throws FedsvdError as `receiveUpdate` does, or RUN_NOT_FOUND */
  async receiveUpdate(runId: string, place: UpdatePlace, stream: AsyncIterable<Uint8Array>): Promise<UploadReply> {
    const { store, blobs } = this.#parts
    const live = this.#live.get(runId)
    const { manifest } = live ?? (await this.#find(runId))
    const current = live?.current?.round === place.round ? live.current : undefined
    const stored = current === undefined ? await store.rounds.find(runId, place.round) : undefined
    const terms = live?.participant(place.clientId)?.terms
    return await receiveUpdate({ manifest, place, stream, blobs, terms, current, stored, gate: this.#gate })
  }

  /** Stops driving; whatever is durable is taken up by the next process. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const live of this.#live.values()) live.abort('the coordinator shuts down')
    await Promise.all(this.#drivers.values())
  }

  async #open(run: RunRecord): Promise<LiveRun> {
    const { runId } = run.manifest
    const live = await LiveRun.load(run, this.#parts)
    this.#live.set(runId, live)
    this.#parts.metrics.liveRuns.set(this.#live.size)
    this.#drivers.set(runId, this.#drive(live))
    this.#parts.onChange(runId)
    return live
  }

  async #drive(live: LiveRun): Promise<void> {
    const { log, onChange, metrics } = this.#parts
    const { runId } = live.manifest
    const ending = await drive(live)
    if (ending !== undefined) await this.#end(live, ending)
    await live.evaluations[Symbol.asyncDispose]().catch((error: unknown) =>
      log.error({ err: error, runId }, 'evaluator not closed'),
    )
    this.#live.delete(runId)
    this.#drivers.delete(runId)
    metrics.liveRuns.set(this.#live.size)
    onChange(runId)
  }

  async #end(live: LiveRun, ending: Ending): Promise<void> {
    const { store, log, clock } = this.#parts
    const { runId } = live.manifest
    while (!live.signal.aborted) {
      try {
        await store.runs.move(runId, OPEN, { ...ending, endedAt: clock.now() })
        log.info({ runId, ...ending }, 'run ended')
        await this.#visitors.announce(runId, ending)
        return
      } catch (error) {
        log.error({ err: error, runId }, 'the end of a run could not be stored yet')
        await pause(clock, 1000, live.signal)
      }
    }
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

  #snapshotOf(run: RunRecord): Promise<RunSnapshot> {
    const { store, bounds, central, isConnected } = this.#parts
    return snapshotOf(run, { store, bounds, central, isConnected, live: this.#live.get(run.manifest.runId) })
  }
}
