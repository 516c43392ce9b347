import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import {
  type ClientSpending,
  frameBytes,
  type LedgerReply,
  type LedgerReport,
  type PlanChange,
  type PrivacyTerms,
  type RoundFailed,
  type RunManifest,
  type RunRequest,
  type RunSnapshot,
  type RunState,
  type UploadReply,
  updateSpecs,
} from '@fedsvd/core/protocol'
import type { RandomSource } from '@fedsvd/core/random'
import { osRandomness } from '@fedsvd/engine/crypto'
import { actorOf, type Caller } from '../identity/index.ts'
import type { ModelRegistry } from '../models/index.ts'
import { type Delivery, type RunOwnership, singleNodeOwnership } from '../ownership/index.ts'
import { Semaphore, sleep } from '../platform/index.ts'
import { CentralLedger, ClientCaps, mostNoise } from '../privacy/index.ts'
import { exactRefactoriser, type Refactoriser } from '../refactorisation/index.ts'
import { earliestCounted, receiveUpdate, reduceRound, type UpdatePlace } from '../rounds/index.ts'
import {
  type AuditDraft,
  leaseLost,
  type Participant,
  type RunChange,
  type RunRecord,
} from '../storage/records/index.ts'
import { snapshotOf } from '../views/index.ts'
import { ActiveRun, type RunParts } from './active-run.ts'
import { ConnectedClients } from './connected-clients.ts'
import { createRun } from './create-run.ts'
import { acceptLedgerReport } from './ledger-report.ts'
import { changePlan } from './plan.ts'
import { countDelivery, remoteRound } from './remote-round.ts'
import { AlertDesk } from './run-alerts.ts'
import { type Ending, runUntilDone, type Standstill } from './run-loop.ts'

const OPEN = ['waiting', 'running'] as const
const NOT_ENDED = [...OPEN, 'paused'] as const
const UPDATES_IN_MEMORY = 4
/** Rounds in a snapshot that is sent at every change, or in a list. */
const NEWEST = 20

export interface RunManagerParts
  extends Omit<RunParts, 'central' | 'caps' | 'alerts' | 'noiseSource' | 'refactoriser'> {
  /** Makes the state that follows a round; by default in this thread, without a device. */
  readonly refactoriser?: Refactoriser
  readonly models: ModelRegistry
  /** Randomness for one draw of the coordinator's own noise; the operating system's unless a test says otherwise. */
  readonly noiseSource?: () => RandomSource
  readonly isConnected: (clientId: string) => boolean
  /** How it shares runs with other coordinators; by default there are none. */
  readonly ownership?: RunOwnership
}

/** The runs of this coordinator: opens, resumes, drives and ends those that it has taken, and brings clients to them. */
export class RunManager implements AsyncDisposable {
  readonly #parts: RunManagerParts & RunParts
  readonly #active = new Map<string, ActiveRun>()
  readonly #loops = new Map<string, Promise<void>>()
  readonly #ownership: RunOwnership
  /** Runs that are being taken. */
  readonly #acquiring = new Map<string, Promise<void>>()
  readonly #connectedClients: ConnectedClients
  readonly #inMemory = new Semaphore(UPDATES_IN_MEMORY)
  #isDraining = false

  constructor(parts: RunManagerParts) {
    const { store, bounds, clock, ownership = singleNodeOwnership(store) } = parts
    this.#ownership = ownership
    const central = new CentralLedger({ store: ownership.store.ledger, bounds, now: () => clock.now() })
    const { log, metrics } = parts
    const alerts = new AlertDesk({ store: store.alerts, log, metrics, now: () => clock.now() })
    const caps = new ClientCaps({
      clients: store.clients,
      ledger: store.ledger,
      bounds,
      runs: () => this.#active.values(),
    })
    this.#parts = {
      noiseSource: () => osRandomness,
      refactoriser: exactRefactoriser(),
      ...parts,
      central,
      caps,
      alerts,
    }
    this.#connectedClients = new ConnectedClients({ ...parts, activeRuns: () => this.#active.values() })
  }

  /** Takes up every run that has not ended and that nobody else drives, exactly where it is stored to be. */
  async resume(): Promise<void> {
    await this.#parts.central.load()
    await this.#parts.caps.load()
    for (const runId of await this.openRunIds()) await this.acquire(runId)
  }

  /** Takes a run up unless another coordinator drives it, or it does not run; once at a time. */
  async acquire(runId: string): Promise<void> {
    const taking = this.#acquiring.get(runId) ?? this.#acquire(runId).finally(() => this.#acquiring.delete(runId))
    this.#acquiring.set(runId, taking)
    await taking
  }

  /** Stops driving a run, and writes nothing more of it: another coordinator has it, or it stands still or has ended. */
  relinquish(runId: string): void {
    this.#active.get(runId)?.abort('the run is driven elsewhere, stands still, or has ended')
  }

  async createRun(request: RunRequest, by: Caller): Promise<RunManifest> {
    const { clock } = this.#parts
    const run = await createRun(request, { ...this.#parts, now: () => clock.now(), by })
    await this.acquire(run.manifest.runId)
    return run.manifest
  }

  /** @throws FedsvdError RUN_NOT_FOUND, or RUN_STATE when it has ended already */
  async stopRun(runId: string, by: Caller): Promise<RunSnapshot> {
    const reason = 'stopped by an operator'
    const now = this.#parts.clock.now()
    const audit = { at: now, actor: actorOf(by), action: 'run.stop', object: `run:${runId}`, detail: {} }
    await this.#move(runId, NOT_ENDED, { state: 'stopped', reason, endedAt: now }, audit)
    await this.#halt(runId, reason)
    await this.#connectedClients.announce(runId, { state: 'stopped', reason })
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
    await this.#connectedClients.announcePause(runId)
    return await this.snapshot(runId)
  }

  /** Takes a paused run up where it stood, with a whole term for its round. @throws FedsvdError as `pauseRun` does */
  async resumeRun(runId: string, by: Caller): Promise<RunSnapshot> {
    const { store, clock } = this.#parts
    const at = clock.now()
    const audit = { at, actor: actorOf(by), action: 'run.resume', object: `run:${runId}`, detail: {} }
    const published = await store.rounds.publishedCount(runId)
    const before = await store.rounds.find(runId, published)
    const isPaused = (await this.#find(runId)).state === 'paused'
    if (isPaused && before !== undefined) {
      const after = reduceRound(before, { type: 'resumed', at })
      if (after !== before) await store.rounds.save({ before, after, spent: [], released: [] })
    }
    const state = before === undefined && published === 0 ? 'waiting' : 'running'
    await this.#move(runId, ['paused'], { state }, audit)
    await this.acquire(runId)
    return await this.snapshot(runId)
  }

  /** Changes what a run goes by from its next round on. @throws FedsvdError RUN_NOT_FOUND, or as `changePlan` does */
  async changePlan(runId: string, change: PlanChange, by: Caller): Promise<RunSnapshot> {
    const { store, clock } = this.#parts
    const { manifest } = await this.#find(runId)
    const audit = { at: clock.now(), actor: actorOf(by), action: 'run.plan', object: `run:${runId}`, detail: {} }
    const plan = await changePlan(manifest, { store, change, audit })
    this.#active.get(runId)?.planChanged(plan)
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

  /** Runs that are waiting or running, whoever drives them. */
  async openRunIds(): Promise<readonly string[]> {
    return (await this.#parts.store.runs.list()).filter(isOpen).map(({ manifest }) => manifest.runId)
  }

  /**
   * A client has proved who it is; `connection` is aborted when its connection ends. The coordinator that it is connected to
   * tells it which of its runs have ended.
   */
  clientArrived(clientId: string, connection: AbortSignal, where: 'here' | 'elsewhere' = 'here'): void {
    this.#connectedClients.arrived(clientId, connection, where)
  }

  /** Answers a report, or has it answered by the driver of the run; one that was forwarded already is not sent on again. */
  async ledgerReport(
    clientId: string,
    report: LedgerReport,
    from: 'client' | 'forwarded' = 'client',
  ): Promise<LedgerReply> {
    const { store, clock } = this.#parts
    const { runId } = report
    await this.#connectedClients.offered(clientId, runId)
    const live = this.#active.get(runId)
    const record = live === undefined ? await this.#find(runId) : undefined
    if (record !== undefined && isOpen(record)) {
      if (from === 'forwarded') throw leaseLost(runId)
      return await this.#ownership.report(clientId, report)
    }
    const { manifest } = live ?? record!
    const participant = live?.participant(clientId) ?? (await this.#participant(runId, clientId))
    if (participant === undefined) {
      throw new FedsvdError('FORBIDDEN', {
        expected: 'a report from a client that takes part in the run',
        got: `client ${clientId}, which does not`,
        remedy: 'Accept the offer of the run first.',
      })
    }
    const alerts = this.#parts.alerts.of(runId)
    const reply = await acceptLedgerReport(report, { manifest, participant, store, alerts, now: clock.now(), live })
    if (!reply.agrees) this.#parts.metrics.ledgerDisagreements.inc()
    if (live === undefined) await this.#parts.caps.load()
    return reply
  }

  /** A client tells that a round failed at it: for the driver of the run, and for nobody where the run is not open. */
  async roundFailed(clientId: string, failure: RoundFailed, from: 'client' | 'forwarded' = 'client'): Promise<void> {
    const { runId } = failure
    const live = this.#active.get(runId)
    if (live !== undefined) return await live.roundFailed(clientId, failure)
    if (from === 'client' && isOpen(await this.#find(runId))) await this.#ownership.failed(clientId, failure)
  }

  /**
   * Sets aside what only the client has stated about a run, for good.
   *
   * @throws FedsvdError RUN_NOT_FOUND, or CLIENT_NOT_FOUND for a client that takes no part
   */
  async quarantine(runId: string, clientId: string, by: Caller): Promise<{ readonly facts: number }> {
    const { store, clock } = this.#parts
    await this.#find(runId)
    if ((await this.#participant(runId, clientId)) === undefined) throw clientNotFound(clientId)
    const at = clock.now()
    const audit = {
      at,
      actor: actorOf(by),
      action: 'client.quarantine',
      object: `client:${clientId}`,
      detail: { run: runId },
    }
    const facts = await store.ledger.quarantine({ runId, clientId, at }, audit)
    const live = this.#active.get(runId)
    if (live === undefined) this.#parts.onChange(runId)
    else await live.spendingChanged()
    await this.#parts.caps.load()
    return { facts }
  }

  /** Tells the operators of every open run that a client takes part in. */
  async alertAbout(clientId: string, { code, message }: FedsvdError): Promise<void> {
    const { store, alerts } = this.#parts
    const runs: RunRecord[] = []
    for (const { runId } of await store.runs.participationsOf(clientId)) runs.push(await this.#find(runId))
    const open = runs.filter(isOpen)
    const newest = runs.toSorted((left, right) => right.createdAt - left.createdAt).slice(0, 1)
    for (const { manifest } of open.length > 0 ? open : newest) {
      const live = this.#active.get(manifest.runId)
      if (live !== undefined) await live.alert(code, message, clientId)
      else await alerts.of(manifest.runId).raise(code, message, clientId)
    }
  }

  /** True when the object is a published state of a run in which the client takes part. */
  async mayRead(clientId: string, sha256: string): Promise<boolean> {
    for (const live of this.#active.values()) {
      if (live.current?.base.sha256 === sha256 && live.participant(clientId) !== undefined) return true
    }
    return await this.#parts.store.runs.mayRead(clientId, sha256)
  }

  /** The cap of a client with these terms in a run, what other runs have spent of it, and by which rule it is held. */
  async capIn(runId: string, clientId: string, terms: PrivacyTerms): Promise<ClientSpending['cap']> {
    const { caps } = this.#parts
    const cap = caps.of(clientId)
    if (cap === undefined) return undefined
    const elsewhere = caps.eventsOf(clientId, runId).map(({ sampleRate, noiseMultiplier, steps }) => {
      return { sampleRate, noiseMultiplier, steps }
    })
    const rule = await caps.ruleOf(clientId, terms)
    return { epsilon: cap.epsilon, delta: cap.delta, elsewhere, ...(rule && { rule }) }
  }

  /** Caps have been set: whoever selects clients, and whoever watches, sees them from now on. */
  async capsChanged(): Promise<void> {
    await this.#parts.caps.load()
    for (const live of this.#active.values()) live.changedOutside()
  }

  /** How many bytes an update of a run has, and whether one of this round may still be counted. @throws FedsvdError RUN_NOT_FOUND */
  async updateDue({ runId, round }: Pick<Delivery, 'runId' | 'round'>) {
    const { manifest, current } = await this.#receiving(runId)
    const isOpen = current !== undefined && round >= earliestCounted(current.round, manifest)
    return { updateBytes: frameBytes(updateSpecs(manifest)), isOpen }
  }

  /** Takes in one update. @throws FedsvdError as `receiveUpdate` does, or RUN_NOT_FOUND */
  async receiveUpdate(runId: string, place: UpdatePlace, stream: AsyncIterable<Uint8Array>): Promise<UploadReply> {
    const { store, blobs } = this.#parts
    const { live, record, manifest, current } = await this.#receiving(runId)
    const stored = current && current.round === place.round ? undefined : await store.rounds.find(runId, place.round)
    const terms = (live?.participant(place.clientId) ?? (await this.#participant(runId, place.clientId)))?.terms
    return await receiveUpdate({
      manifest,
      place,
      stream,
      blobs,
      terms,
      mostNoise: async () => (terms === undefined ? 0 : await mostNoise(manifest, terms, this.#parts.bounds)),
      isPaused: record?.state === 'paused',
      current,
      stored,
      gate: this.#inMemory,
    })
  }

  /** A run and its round under way, here or at the coordinator that drives it. */
  async #receiving(runId: string) {
    const { store, alerts, clock } = this.#parts
    const live = this.#active.get(runId)
    if (live !== undefined) return { live, manifest: live.manifest, current: live.current }
    const record = await this.#find(runId)
    const parts = { store, alerts, clock, deliver: this.#ownership.deliver }
    return {
      record,
      manifest: record.manifest,
      current: isOpen(record) ? await remoteRound(record, parts) : undefined,
    }
  }

  /** Counts an update that another coordinator took in. @throws FedsvdError as an upload does, LEASE_LOST unless it drives the run */
  async deliver(delivery: Delivery): Promise<void> {
    const live = this.#active.get(delivery.runId)
    if (live === undefined) throw leaseLost(delivery.runId)
    await countDelivery(live, delivery)
  }

  /**
   * Begins nothing any more: no round, no invitation, no offer. Updates that are on their way are still taken in; what they
   * complete is taken up by the next process, or at once by another coordinator, like everything else that is durable.
   */
  async drain(): Promise<void> {
    this.#isDraining = true
    await Promise.allSettled(this.#acquiring.values())
    for (const live of this.#active.values()) live.abort('the coordinator shuts down')
    await Promise.all(this.#loops.values())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain()
    await Promise.all(Array.from(this.#active.values(), (live) => this.#close(live)))
  }

  async #acquire(runId: string): Promise<void> {
    const live = this.#active.get(runId)
    if (live?.signal.aborted) await this.#loops.get(runId)
    if (this.#isDraining || this.#active.has(runId) || !(await this.#ownership.take(runId))) return
    try {
      const run = await this.#find(runId) // as the last driver left it: only now nobody else writes to it
      if (isOpen(run) && !this.#isDraining) this.#connectedClients.offer(await this.#open(run))
      else await this.#ownership.release(runId)
    } catch (error) {
      await this.#ownership.release(runId).catch(() => {})
      throw error
    }
  }

  async #participant(runId: string, clientId: string): Promise<Participant | undefined> {
    return (await this.#parts.store.runs.participants(runId)).find((candidate) => candidate.clientId === clientId)
  }

  async #open(run: RunRecord): Promise<ActiveRun> {
    const { runId } = run.manifest
    const live = await ActiveRun.load(run, { ...this.#parts, store: this.#ownership.store })
    this.#active.set(runId, live)
    this.#parts.metrics.activeRuns.set(this.#active.size)
    if (!this.#isDraining) this.#loops.set(runId, this.#startLoop(live))
    this.#parts.onChange(runId)
    return live
  }

  async #startLoop(live: ActiveRun): Promise<void> {
    const ending = await runUntilDone(live)
    if (ending !== undefined) await this.#end(live, ending)
    this.#loops.delete(live.manifest.runId)
    if (!this.#isDraining) await this.#close(live)
  }

  async #close(live: ActiveRun): Promise<void> {
    const { log, onChange, metrics } = this.#parts
    const { runId } = live.manifest
    await live.evaluations[Symbol.asyncDispose]().catch((error: unknown) =>
      log.error({ err: error, runId }, 'evaluator not closed'),
    )
    await this.#ownership
      .release(runId)
      .catch((error: unknown) => log.warn({ err: error, runId }, 'a lease was not released'))
    await this.#parts.caps.load().catch((error: unknown) => log.error({ err: error, runId }, 'caps not read'))
    if (this.#active.get(runId) === live) this.#active.delete(runId)
    metrics.activeRuns.set(this.#active.size)
    onChange(runId)
  }

  async #end(live: ActiveRun, ending: Ending | Standstill): Promise<void> {
    const { log, clock } = this.#parts
    const { runId } = live.manifest
    while (!live.signal.aborted) {
      try {
        const { store } = this.#ownership
        const change = ending.state === 'paused' ? ending : { ...ending, endedAt: clock.now() }
        if (!(await store.runs.move(runId, OPEN, change))) return // paused or stopped just now
        log.info({ runId, ...ending }, ending.state === 'paused' ? 'run paused' : 'run ended')
        if (ending.state === 'paused') await this.#connectedClients.announcePause(runId)
        else await this.#connectedClients.announce(runId, ending)
        return
      } catch (error) {
        if (isFedsvdError(error, 'LEASE_LOST')) return
        log.error({ err: error, runId }, 'the end of a run could not be stored yet')
        await sleep(clock, 1000, live.signal)
      }
    }
  }

  /** Stops driving a run that has just been moved out of an open state, here and elsewhere. */
  async #halt(runId: string, reason: string): Promise<void> {
    this.#active.get(runId)?.abort(reason)
    await this.#loops.get(runId)
    this.#ownership.ended(runId)
    this.#parts.onChange(runId)
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
      live: this.#active.get(run.manifest.runId),
      newest,
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

function isOpen({ state }: RunRecord): boolean {
  return OPEN.some((open) => open === state)
}
