import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import type {
  LedgerReply,
  LedgerReport,
  RunManifest,
  RunRequest,
  RunSnapshot,
  UploadReply,
} from '@fedsvd/core/protocol'
import type { RandomSource } from '@fedsvd/core/random'
import { type Delivery, type Driving, driveAlone } from '../cluster/index.ts'
import { actorOf, type Caller } from '../identity/index.ts'
import type { ModelRegistry } from '../models/index.ts'
import { CentralLedger } from '../privacy/index.ts'
import { Gate, pause, receiveUpdate, type UpdatePlace } from '../rounds/index.ts'
import { leaseLost, type RunRecord } from '../store/index.ts'
import { createRun } from './create-run.ts'
import { drive, type Ending } from './drive.ts'
import { countDelivery, roundElsewhere } from './elsewhere.ts'
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
  /** How it shares runs with other coordinators; by default there are none. */
  readonly driving?: Driving
}

/** The runs of this coordinator: opens, resumes, drives and ends those that it has taken, and brings clients to them. */
export class Conductor implements AsyncDisposable {
  readonly #parts: ConductorParts & RunParts
  readonly #live = new Map<string, LiveRun>()
  readonly #drivers = new Map<string, Promise<void>>()
  readonly #driving: Driving
  /** Runs that are being taken. */
  readonly #taking = new Map<string, Promise<void>>()
  #closed = false
  readonly #visitors: Visitors
  readonly #gate = new Gate(UPDATES_IN_MEMORY)

  constructor(parts: ConductorParts) {
    const { store, bounds, clock, driving = driveAlone(store) } = parts
    this.#driving = driving
    const central = new CentralLedger({ store: driving.store.ledger, bounds, now: () => clock.now() })
    this.#parts = { noiseSource: () => osRandomness, ...parts, central }
    this.#visitors = new Visitors({ ...parts, liveRuns: () => this.#live.values() })
  }

  /** Takes up every run that has not ended and that nobody else drives, exactly where it is stored to be. */
  async resume(): Promise<void> {
    await this.#parts.central.load()
    for (const runId of await this.openRunIds()) await this.takeUp(runId)
  }

  /** Takes a run up unless another coordinator drives it, or it has ended; once at a time. */
  async takeUp(runId: string): Promise<void> {
    const taking = this.#taking.get(runId) ?? this.#takeUp(runId).finally(() => this.#taking.delete(runId))
    this.#taking.set(runId, taking)
    await taking
  }

  /** Stops driving a run, and writes nothing more of it: another coordinator has it, or it has ended. */
  letGo(runId: string): void {
    this.#live.get(runId)?.abort('the run is driven elsewhere, or has ended')
  }

  async createRun(request: RunRequest, by: Caller): Promise<RunManifest> {
    const { clock } = this.#parts
    const run = await createRun(request, { ...this.#parts, now: () => clock.now(), by })
    await this.takeUp(run.manifest.runId)
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
    this.#driving.ended(runId)
    this.#parts.onChange(runId)
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

  /** Runs that are waiting or running, whoever drives them. */
  async openRunIds(): Promise<readonly string[]> {
    return (await this.#parts.store.runs.list()).filter(isOpen).map(({ manifest }) => manifest.runId)
  }

  /**
   * A client has proved who it is; `connection` is aborted when its connection ends. The coordinator that it is connected to
   * tells it which of its runs have ended.
   */
  clientArrived(clientId: string, connection: AbortSignal, where: 'here' | 'elsewhere' = 'here'): void {
    this.#visitors.arrived(clientId, connection, where)
  }

  /** Answers a report, or has it answered by the driver of the run; one that was forwarded already is not sent on again. */
  async ledgerReport(
    clientId: string,
    report: LedgerReport,
    from: 'client' | 'forwarded' = 'client',
  ): Promise<LedgerReply> {
    const { store, clock } = this.#parts
    const { runId } = report
    await this.#visitors.welcomed(clientId, runId)
    const run = await this.#find(runId)
    const live = this.#live.get(runId)
    if (live === undefined && isOpen(run)) {
      if (from === 'forwarded') throw leaseLost(runId)
      return await this.#driving.report(clientId, report)
    }
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
    return await acceptLedgerReport(report, { run, participant, store, now: clock.now(), live })
  }

  /** Takes in one update. @throws FedsvdError as `receiveUpdate` does, or RUN_NOT_FOUND */
  async receiveUpdate(runId: string, place: UpdatePlace, stream: AsyncIterable<Uint8Array>): Promise<UploadReply> {
    const { store, blobs } = this.#parts
    const live = this.#live.get(runId)
    if (live === undefined) return await this.#receiveElsewhere(await this.#find(runId), place, stream)
    const { manifest } = live
    const current = live.current?.round === place.round ? live.current : undefined
    const stored = current === undefined ? await store.rounds.find(runId, place.round) : undefined
    const terms = live.participant(place.clientId)?.terms
    return await receiveUpdate({ manifest, place, stream, blobs, terms, current, stored, gate: this.#gate })
  }

  /** Counts an update that another coordinator took in. @throws FedsvdError as an upload does, LEASE_LOST unless it drives the run */
  async deliver(delivery: Delivery): Promise<void> {
    const live = this.#live.get(delivery.runId)
    if (live === undefined) throw leaseLost(delivery.runId)
    await countDelivery(live, delivery)
  }

  /** Stops driving; whatever is durable is taken up by the next process, or at once by another coordinator. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#taking.values())
    for (const live of this.#live.values()) live.abort('the coordinator shuts down')
    await Promise.all(this.#drivers.values())
  }

  async #takeUp(runId: string): Promise<void> {
    const live = this.#live.get(runId)
    if (live?.signal.aborted) await this.#drivers.get(runId)
    if (this.#closed || this.#live.has(runId) || !(await this.#driving.take(runId))) return
    try {
      const run = await this.#find(runId) // as the last driver left it: only now nobody else writes to it
      if (isOpen(run) && !this.#closed) this.#visitors.offer(await this.#open(run))
      else await this.#driving.release(runId)
    } catch (error) {
      await this.#driving.release(runId).catch(() => {})
      throw error
    }
  }

  /** Takes an update in for the driver of the run, another coordinator; or for a run that has ended, which wants no more. */
  async #receiveElsewhere(run: RunRecord, place: UpdatePlace, stream: AsyncIterable<Uint8Array>): Promise<UploadReply> {
    const { store, blobs, clock } = this.#parts
    const { manifest } = run
    const { runId } = manifest
    const stored = await store.rounds.find(runId, place.round)
    const base = await store.runs.adapter(runId, place.round)
    const known = (await store.runs.participants(runId)).find(({ clientId }) => clientId === place.clientId)
    const parts = { clock, deliver: this.#driving.deliver }
    const current = isOpen(run) && stored && base && roundElsewhere(run, stored, base, parts)
    return await receiveUpdate({
      manifest,
      place,
      stream,
      blobs,
      stored,
      gate: this.#gate,
      terms: known?.terms,
      current: current || undefined,
    })
  }

  async #open(run: RunRecord): Promise<LiveRun> {
    const { runId } = run.manifest
    const live = await LiveRun.load(run, { ...this.#parts, store: this.#driving.store })
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
    await this.#driving
      .release(runId)
      .catch((error: unknown) => log.warn({ err: error, runId }, 'a lease was not released'))
    this.#live.delete(runId)
    this.#drivers.delete(runId)
    metrics.liveRuns.set(this.#live.size)
    onChange(runId)
  }

  async #end(live: LiveRun, ending: Ending): Promise<void> {
    const { log, clock } = this.#parts
    const { runId } = live.manifest
    while (!live.signal.aborted) {
      try {
        await this.#driving.store.runs.move(runId, OPEN, { ...ending, endedAt: clock.now() })
        log.info({ runId, ...ending }, 'run ended')
        await this.#visitors.announce(runId, ending)
        return
      } catch (error) {
        if (isFedsvdError(error, 'LEASE_LOST')) return
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

function isOpen({ state }: RunRecord): boolean {
  return OPEN.some((open) => open === state)
}
