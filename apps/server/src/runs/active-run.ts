import type { AccountedEvent, PrivacyEvent } from '@fedsvd/core/accounting'
import { eventOfRound, scheduleRule } from '@fedsvd/core/accounting'
import { type ErrorCode, FedsvdError, roundNumber } from '@fedsvd/core/errors'
import {
  acceptsStaleUpdates,
  type PrivacyTerms,
  planOf,
  type RoundFailed,
  type RunManifest,
  type RunPlan,
  type RunSnapshot,
  type RunState,
} from '@fedsvd/core/protocol'
import type { RandomSource } from '@fedsvd/core/random'
import type { Logger } from 'pino'
import { Evaluations, type EvaluatorFactory } from '../evaluation/index.ts'
import type { CoordinatorEvents } from '../events.ts'
import type { UploadTokens } from '../identity/index.ts'
import { ChangeSignal, type Clock } from '../platform/index.ts'
import { type CentralLedger, type ClientCaps, type EpsilonBounds, PrivacySpending } from '../privacy/index.ts'
import type { RefactorisationReport, Refactoriser } from '../refactorisation/index.ts'
import {
  type ClientGateway,
  chargePrivacy,
  decodeState,
  deliveredTasks,
  earliestFor,
  openTasks,
  type RoundContext,
  RoundJournal,
  type RunContext,
  schemaHashOf,
} from '../rounds/index.ts'
import type { BlobStore } from '../storage/objects/index.ts'
import type { Participant, PlanRecord, RunRecord, Store } from '../storage/records/index.ts'
import type { Metrics } from '../telemetry/index.ts'
import { mostSteps } from './most-steps.ts'
import { PendingAssignments } from './pending-assignments.ts'
import type { AlertDesk, RunAlerts } from './run-alerts.ts'

/** With these a client says that it has no budget left. */
const SPENT: readonly string[] = ['BUDGET_EXHAUSTED', 'BUDGET_TOO_SMALL']
/** A client whose rounds fail so often, one after the other, for reasons of its own is not asked again until it comes back. */
const MOST_FAILURES = 3

/** What every live run is made with. */
export interface RunParts {
  readonly store: Store
  readonly blobs: BlobStore
  readonly gateway: ClientGateway
  readonly tokens: UploadTokens
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  readonly bounds: EpsilonBounds
  readonly central: CentralLedger
  readonly caps: ClientCaps
  readonly alerts: AlertDesk
  readonly refactoriser: Refactoriser
  readonly noiseSource: () => RandomSource
  readonly evaluatorFor: EvaluatorFactory
  readonly gatherMs: number
  readonly events: Pick<CoordinatorEvents, 'emit'>
}

/** A run that is waiting or running: what is stored of it, and who is there now. */
export class ActiveRun implements RunContext {
  readonly manifest: RunManifest
  readonly schemaHash: string
  readonly acceptsStaleUpdates: boolean
  readonly store: Store
  readonly blobs: BlobStore
  readonly gateway: ClientGateway
  readonly tokens: UploadTokens
  readonly central: CentralLedger
  readonly refactoriser: Refactoriser
  readonly noiseSource: () => RandomSource
  readonly clock: Clock
  readonly log: Logger
  readonly gatherMs: number
  readonly changeSignal: ChangeSignal
  readonly evaluations: Evaluations
  readonly #parts: RunParts
  readonly #participants = new Map<string, Participant>()
  readonly #ready = new Set<string>()
  readonly #pending = new PendingAssignments()
  /** The last round that failed at a client, as it told. */
  readonly #failed = new Map<string, number>()
  /** Rounds in a row that failed at a client, as it told. */
  readonly #failures = new Map<string, number>()
  /** The last round that each client said it has left behind. */
  readonly #ahead = new Map<string, number>()
  /** Clients whose whole ledger was compared since they took part in this life of the run. */
  readonly #reported = new Set<string>()
  /** Steps of one more round that each client can pay for, as they were last looked at. */
  readonly #affordable = new Map<string, number>()
  /** Steps that each client was charged for the round under way. */
  readonly #charged = new Map<string, number>()
  readonly #refusedTerms = new Map<string, number>()
  readonly #alerts: RunAlerts
  readonly #controller = new AbortController()
  #state: RunState
  #plan: RunPlan
  #spending = new PrivacySpending([])
  #current: RoundContext | undefined
  #refactorisation: RunSnapshot['refactorisation']
  /** The last round whose publication was told here. */
  #announced: number | undefined

  private constructor({ manifest, state }: RunRecord, parts: RunParts) {
    this.manifest = manifest
    this.schemaHash = schemaHashOf(manifest.adapter)
    this.acceptsStaleUpdates = acceptsStaleUpdates(manifest)
    this.store = parts.store
    this.blobs = parts.blobs
    this.gateway = parts.gateway
    this.tokens = parts.tokens
    this.central = parts.central
    this.refactoriser = parts.refactoriser
    this.noiseSource = parts.noiseSource
    this.clock = parts.clock
    this.log = parts.log
    this.gatherMs = parts.gatherMs
    this.changeSignal = new ChangeSignal(parts.clock)
    this.#parts = parts
    this.#state = state
    this.#plan = planOf(manifest)
    this.#alerts = parts.alerts.of(manifest.runId)
    this.evaluations = new Evaluations({
      runId: manifest.runId,
      store: parts.store,
      log: parts.log,
      onChange: () => this.#changed(),
      create: () => parts.evaluatorFor(manifest),
      stateAfter: async (round) => {
        const { basis, sha256 } = (await this.store.runs.adapter(manifest.runId, round + 1))!
        return decodeState(manifest, this.schemaHash, basis, await this.blobs.read(sha256))
      },
      onFailure: (error) => this.#evaluationFailed(error),
    })
  }

  /** Reads all that is stored of the run, the round under way included, so that updates can come in at once. */
  static async load(record: RunRecord, parts: RunParts): Promise<ActiveRun> {
    const run = new ActiveRun(record, parts)
    const { runId } = run.manifest
    await run.latestPlan()
    for (const participant of await run.store.runs.participants(runId))
      run.#participants.set(participant.clientId, participant)
    await run.#reloadSpending()
    const published = await run.store.rounds.publishedCount(runId)
    await run.#reloadPending(published)
    if (published < run.plan.rounds) await run.openRound(published)
    run.evaluations.catchUp()
    return run
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get plan(): RunPlan {
    return this.#plan
  }

  get current(): RoundContext | undefined {
    return this.#current
  }

  /** How the newest state's factors were made, where they were made here. */
  get refactorisation(): RunSnapshot['refactorisation'] {
    return this.#refactorisation
  }

  get runId(): string {
    return this.manifest.runId
  }

  get spending(): PrivacySpending {
    return this.#spending
  }

  get participants(): readonly Participant[] {
    return [...this.#participants.values()].sort((left, right) => (left.clientId < right.clientId ? -1 : 1))
  }

  participant(clientId: string): Participant | undefined {
    return this.#participants.get(clientId)
  }

  /** The round with its journal; there is never more than one journal of a round. */
  async openRound(round: number): Promise<RoundContext> {
    if (this.#current?.round === round) return this.#current
    const { runId } = this.manifest
    const { rounds, runs } = this.store
    const opening = RoundJournal.open({
      load: () => rounds.find(runId, round),
      change: (before, after) => chargePrivacy(before, after, (clientId) => this.#chargeOf(clientId), this.clock.now()),
      save: (change) => rounds.save(change),
      onChange: (change) => {
        for (const { clientId, event } of change.spent) this.#charged.set(clientId, event.steps)
        this.#spending.apply(change, (clientId) => this.#chargedTo(clientId))
        this.#pending.follow(change.after)
        for (const { clientId } of deliveredTasks(change.after)) this.#failures.delete(clientId)
        this.#parts.events.emit('round.changed', change, this.clock.now())
        this.#changed()
      },
      // What was stored without our knowing may be what somebody waits for.
      onReload: async () => {
        await this.#reloadPending(round)
        await this.spendingChanged()
      },
    })
    const loading = this.#parts.caps.load() // another coordinator may have spent or set something
    const [base, journal] = await Promise.all([runs.adapter(runId, round), opening, loading])
    this.#charged.clear()
    await this.#reloadCharges(journal, round)
    if (base?.publishedAt === undefined) {
      throw new FedsvdError('BLOB_NOT_FOUND', {
        expected: `the state that round ${roundNumber(round)} starts from`,
        got: 'none',
        remedy: 'Restore the database of the coordinator.',
      })
    }
    this.#current = { run: this, round, journal, base }
    return this.#current
  }

  async eligible(): Promise<readonly string[]> {
    const present = this.participants.filter(({ withdrawal }) => withdrawal === undefined)
    const steps = await Promise.all(present.map(({ clientId }) => this.#affordableSteps(clientId)))
    for (const [index, { clientId }] of present.entries()) this.#affordable.set(clientId, steps[index]!)
    return present.filter((_, index) => steps[index]! > 0).map(({ clientId }) => clientId)
  }

  async withBudget(): Promise<{ readonly clients: readonly string[]; readonly of: number }> {
    const ids = this.participants.map(({ clientId }) => clientId)
    const steps = await Promise.all(ids.map((clientId) => this.#affordableSteps(clientId)))
    const able = ids.filter((_, index) => steps[index]! > 0)
    const isSpent = (clientId: string) => SPENT.includes(this.#participants.get(clientId)?.withdrawal ?? '')
    return { clients: able.every(isSpent) ? [] : able, of: ids.length }
  }

  /**
   * How many steps of one more round are certainly within the budget that the client stated, within the cap that an operator
   * has set, and within that of the client level: all of them, unless the budget is nearly spent.
   */
  async #affordableSteps(clientId: string): Promise<number> {
    const { clientLevel, localSteps } = this.manifest
    if (clientLevel !== undefined && !(await this.central.canPay(clientId, clientLevel))) return 0
    const { terms } = this.#participants.get(clientId)!
    const spent = this.#spending.of(clientId)
    return await mostSteps(localSteps, async (steps) => {
      const next = { sampleRate: terms.sampleRate, noiseMultiplier: terms.noiseMultiplier, steps }
      if (!(await this.#parts.bounds.of(clientId).fits([...spent, next], terms.budget, scheduleRule(terms))))
        return false
      return await this.#parts.caps.allows(clientId, terms, steps)
    })
  }

  /** What a client is charged for one more round. */
  #chargeOf(clientId: string): PrivacyEvent {
    const event = this.eventOf(clientId)
    return { ...event, steps: this.#affordable.get(clientId) || event.steps }
  }

  /** What it was charged for the round under way. */
  #chargedTo(clientId: string): PrivacyEvent {
    const event = this.eventOf(clientId)
    return { ...event, steps: this.#charged.get(clientId) ?? event.steps }
  }

  /** What a process before this one has charged for a round under way. */
  async #reloadCharges({ progress }: RoundJournal, round: number): Promise<void> {
    for (const { clientId } of progress?.phase === 'tasked' ? openTasks(progress) : []) {
      const facts = await this.store.ledger.facts(this.runId, clientId, round)
      const first = facts.find((fact) => fact.round === round && fact.attempt === 1)
      if (first !== undefined) this.#charged.set(clientId, first.event.steps)
    }
  }

  termsOf(clientId: string): PrivacyTerms | undefined {
    return this.#participants.get(clientId)?.terms
  }

  /** What a client has spent in this run, and what it was selected to spend next. */
  eventsOf(clientId: string): readonly AccountedEvent[] {
    const spent = this.#spending.of(clientId)
    const progress = this.#current?.journal.progress
    const isPledged = progress?.phase === 'selected' && progress.tasks.some((task) => task.clientId === clientId)
    return isPledged ? [...spent, this.#chargeOf(clientId)] : spent
  }

  stillTraining(): readonly string[] {
    return this.acceptsStaleUpdates ? this.#pending.before(this.#current?.round ?? 0) : []
  }

  staleRoundOf(clientId: string): number | undefined {
    const round = this.acceptsStaleUpdates ? this.#pending.roundOf(clientId) : undefined
    return round === this.#current?.round && this.#current?.journal.progress?.phase === 'tasked' ? undefined : round
  }

  expireAssignmentsBefore(round: number): void {
    for (const [clientId, old] of this.#pending.forgetBefore(round)) {
      this.gateway.roundClosed(clientId, { runId: this.manifest.runId, round: old })
    }
  }

  hasFailed(clientId: string, round: number): boolean {
    return this.#failed.get(clientId) === round || this.#participants.get(clientId)?.withdrawal !== undefined
  }

  /** How often the terms of a client were refused in this life of the run, those without a verdict yet included. */
  refusalsOf(clientId: string): number {
    return this.#refusedTerms.get(clientId) ?? 0
  }

  /** Terms count as refused from when they are stated until there is another verdict. */
  noteTerms(clientId: string, what: 'stated' | 'accepted' | 'unanswered'): void {
    this.#refusedTerms.set(clientId, this.refusalsOf(clientId) + (what === 'stated' ? 1 : -1))
  }

  noteAhead(clientId: string, round: number): void {
    this.#ahead.set(clientId, round)
  }

  /** All that the client's ledger holds for this run is charged. */
  noteReport(clientId: string): void {
    this.#reported.add(clientId)
    this.#changed()
  }

  areAllAheadOf(round: number): boolean {
    const { participants } = this
    const present = participants.filter(({ withdrawal }) => withdrawal === undefined)
    // What it has spent is on record first: a client reports nothing of a run that has ended.
    const isAhead = ({ clientId }: Participant) => this.#ahead.get(clientId) === round && this.#reported.has(clientId)
    return present.length > 0 && participants.length >= this.plan.quorum && present.every(isAhead)
  }

  forgetFailures(): void {
    this.#failed.clear()
  }

  /** A client that was asked has told that its round failed: others are asked in its place, and operators see why. */
  async roundFailed(clientId: string, { round, code }: RoundFailed): Promise<void> {
    const { current } = this
    const isAsked = current?.round === round && this.#isOpen(current, clientId)
    if (!isAsked || this.hasFailed(clientId, round)) return
    this.#failed.set(clientId, round)
    const failures = 1 + (this.#failures.get(clientId) ?? 0)
    this.#failures.set(clientId, failures)
    await this.alert(code, `round ${roundNumber(round)} failed at the client`, clientId)
    if (code === 'SITE_DECLINED' && failures >= MOST_FAILURES) await this.withdraw(clientId, code)
    this.#changed()
  }

  #isOpen({ journal }: RoundContext, clientId: string): boolean {
    const { progress } = journal
    return progress !== undefined && openTasks(progress).some((task) => task.clientId === clientId)
  }

  isReady(clientId: string): boolean {
    return this.#ready.has(clientId) && this.#participants.get(clientId)?.withdrawal === undefined
  }

  eventOf(clientId: string): PrivacyEvent {
    return eventOfRound(this.manifest, this.#participants.get(clientId)!.terms)
  }

  /** The client is connected and takes part. */
  enter(participant: Participant): void {
    this.#participants.set(participant.clientId, participant)
    this.#ready.add(participant.clientId)
    this.#changed()
  }

  leave(clientId: string): void {
    if (this.#ready.delete(clientId)) this.#changed()
  }

  async withdraw(clientId: string, code: ErrorCode): Promise<void> {
    const participant = this.#participants.get(clientId)
    if (participant === undefined) return
    await this.store.runs.setWithdrawal(this.manifest.runId, clientId, code)
    this.#participants.set(clientId, { ...participant, withdrawal: code })
    this.#changed()
  }

  async begin(): Promise<void> {
    if (this.#state !== 'waiting') return
    await this.store.runs.move(this.manifest.runId, ['waiting'], { state: 'running' })
    this.#state = 'running'
    this.#changed()
  }

  /** The round that was under way here, where it is among those that are published and nobody was told: the answer was lost. */
  unannounced(published: number): RoundContext | undefined {
    const { round = Number.POSITIVE_INFINITY } = this.#current ?? {}
    return round < published && round !== this.#announced ? this.#current : undefined
  }

  refactorised(round: number, { device, seconds, fallbacks, failure }: RefactorisationReport): void {
    const { runId } = this.manifest
    const { refactorisations, refactorisationFallbacks } = this.#parts.metrics
    refactorisations.observe({ device }, seconds)
    refactorisationFallbacks.inc(fallbacks.length)
    this.#refactorisation = { round, device, seconds, fallbacks: fallbacks.length }
    this.log.info({ runId, round, device, seconds }, 'state re-factorised')
    if (fallbacks.length > 0) {
      this.log.warn({ runId, round, device, layers: fallbacks }, 'layers re-factorised without the device')
    }
    if (failure !== undefined) {
      this.log.error({ runId, round, failure }, 'the device failed; the state was re-factorised without it')
    }
  }

  published(round: number, seconds: number): void {
    const { runId } = this.manifest
    this.#announced = round
    this.log.info({ runId, round, seconds }, 'round published')
    this.#parts.metrics.rounds.observe(seconds)
    this.evaluations.catchUp()
    this.#changed()
  }

  async alert(code: ErrorCode, message: string, clientId?: string): Promise<void> {
    if (await this.#alerts.raise(code, message, clientId)) this.#changed()
  }

  /** The plan as it is stored: another coordinator may have changed it. */
  async latestPlan(): Promise<RunPlan> {
    this.#plan = planOf(this.manifest, (await this.store.runs.plans(this.manifest.runId)).at(-1))
    return this.#plan
  }

  /** The plan was changed; a round that waits to be selected goes by the new one. */
  planChanged(plan: PlanRecord): void {
    this.#plan = planOf(this.manifest, plan)
    this.#changed()
  }

  /** Facts were added to the store beside the rounds. */
  async spendingChanged(): Promise<void> {
    await this.#reloadSpending()
    this.#changed()
  }

  /** Ends the waiting of whatever waits in this run. */
  abort(reason: string): void {
    this.#controller.abort(new Error(reason))
    this.changeSignal.notify()
  }

  /** Something outside of the run may have changed what its clients can pay for. */
  changedOutside(): void {
    this.#changed()
  }

  #changed(): void {
    this.changeSignal.notify()
    this.#parts.events.emit('run.changed', this.manifest.runId)
  }

  /** What is open of the rounds whose updates `round` may still count. */
  async #reloadPending(round: number): Promise<void> {
    if (!this.acceptsStaleUpdates) return
    const since = earliestFor(round, this.manifest)
    const history = await this.store.rounds.history(this.manifest.runId, since, round - since + 1)
    for (const progress of history) this.#pending.follow(progress)
  }

  async #reloadSpending(): Promise<void> {
    this.#spending = new PrivacySpending(await this.store.ledger.spending(this.manifest.runId))
  }

  async #evaluationFailed(error: unknown): Promise<void> {
    const { runId } = this.manifest
    this.log.error({ err: error, runId }, 'an evaluation failed')
    const message = error instanceof Error ? error.message : String(error)
    await this.alert(error instanceof FedsvdError ? error.code : 'UNEXPECTED', `evaluation: ${message}`).catch(() => {})
  }
}
