import { FedsvdError, roundNumber } from '@fedsvd/core/errors'
import type { RunState } from '@fedsvd/core/protocol'
import type { Evaluations } from '../evaluation/index.ts'
import type { RefactorisationReport } from '../refactorisation/index.ts'
import {
  chargePrivacy,
  deliveredTasks,
  type RoundContext,
  RoundJournal,
  type RunContext,
  type RunMilestones,
} from '../rounds/index.ts'
import type { RoundChange } from '../storage/records/index.ts'
import type { PendingAssignments } from './pending-assignments.ts'
import type { RoundFailures } from './round-failures.ts'
import type { RunBudgets } from './run-budgets.ts'
import type { RunParts } from './run-parts.ts'

/** A run, with the parts of it that follow its rounds. */
interface RunOfRounds extends RunContext {
  readonly runId: string
  readonly budgets: RunBudgets
  readonly failures: RoundFailures
  readonly assignments: PendingAssignments
  readonly evaluations: Pick<Evaluations, 'catchUp'>
}

export interface RunRoundsParts extends Pick<RunParts, 'caps' | 'events' | 'metrics'> {
  readonly run: RunOfRounds
  /** The state in which the run was loaded. */
  readonly state: RunState
  readonly onChange: () => void
}

/** The rounds of a run: the one under way, and what becomes of each. */
export class RunRounds implements RunMilestones {
  readonly #parts: RunRoundsParts
  #state: RunState
  #current: RoundContext | undefined
  /** The last round whose publication was announced by this process. */
  #announced: number | undefined

  constructor(parts: RunRoundsParts) {
    this.#parts = parts
    this.#state = parts.state
  }

  get current(): RoundContext | undefined {
    return this.#current
  }

  /** The round with its journal; there is never more than one journal of a round. */
  async open(round: number): Promise<RoundContext> {
    if (this.#current?.round === round) return this.#current
    const { run, caps } = this.#parts
    const [base, journal] = await Promise.all([
      run.storage.store.adapters.find(run.runId, round),
      this.#openJournal(round),
      caps.load(), // another coordinator may have spent or set something
    ])
    await run.budgets.openRound(round, journal.progress)
    if (base?.publishedAt === undefined) {
      throw new FedsvdError('BLOB_NOT_FOUND', {
        expected: `the state that round ${roundNumber(round)} starts from`,
        got: base === undefined ? 'a database without a record of it' : 'a record of a state that was not published',
        remedy: 'Restore the database of the coordinator.',
      })
    }
    this.#current = { run, round, journal, base }
    return this.#current
  }

  /** The round that was under way here, where it is stored as published and not yet announced: the answer was lost. */
  unannounced(published: number): RoundContext | undefined {
    const { round = Number.POSITIVE_INFINITY } = this.#current ?? {}
    return round < published && round !== this.#announced ? this.#current : undefined
  }

  async begin(): Promise<void> {
    if (this.#state !== 'waiting') return
    const { run, onChange } = this.#parts
    await run.storage.store.runs.move(run.runId, ['waiting'], { state: 'running' })
    this.#state = 'running'
    onChange()
  }

  refactorised(round: number, { device, seconds, fallbacks, failure }: RefactorisationReport): void {
    const { run, metrics } = this.#parts
    const { runId, messages } = run
    const { log } = messages
    metrics.refactorisations.observe({ device }, seconds)
    metrics.refactorisationFallbacks.inc(fallbacks.length)
    log.info({ runId, round, device, seconds }, 'state re-factorised')
    if (fallbacks.length > 0) {
      log.warn({ runId, round, device, layers: fallbacks }, 'layers re-factorised without the device')
    }
    if (failure !== undefined) {
      log.error({ runId, round, failure }, 'the device failed; the state was re-factorised without it')
    }
  }

  published(round: number, seconds: number): void {
    const { run, metrics, onChange } = this.#parts
    this.#announced = round
    run.messages.log.info({ runId: run.runId, round, seconds }, 'round published')
    metrics.rounds.observe(seconds)
    run.evaluations.catchUp()
    onChange()
  }

  #openJournal(round: number): Promise<RoundJournal> {
    const { run } = this.#parts
    const { budgets, assignments, time } = run
    const { rounds } = run.storage.store
    return RoundJournal.open({
      load: () => rounds.find(run.runId, round),
      change: (before, after) =>
        chargePrivacy(before, after, (clientId) => budgets.chargeOf(clientId), time.clock.now()),
      save: (change) => rounds.save(change),
      onChange: (change) => this.#follow(change),
      // What another coordinator has stored meanwhile may be what a caller waits for.
      onReload: async () => {
        await assignments.load(round)
        await budgets.reload()
      },
    })
  }

  #follow(change: RoundChange): void {
    const { run, events, onChange } = this.#parts
    run.budgets.apply(change)
    run.assignments.follow(change.after)
    for (const { clientId } of deliveredTasks(change.after)) run.failures.noteDelivered(clientId)
    events.emit('round.changed', change, run.time.clock.now())
    onChange()
  }
}
