import { FedsvdError } from '@fedsvd/core/errors'
import type { RunManifest } from '@fedsvd/core/protocol'
import { Evaluations } from '../evaluation/index.ts'
import { ChangeSignal } from '../platform/index.ts'
import {
  decodeState,
  type RunContext,
  type RunMechanism,
  type RunMessages,
  type RunStorage,
  type RunTime,
} from '../rounds/index.ts'
import type { RunRecord } from '../storage/records/index.ts'
import { ActiveSettings } from './active-settings.ts'
import { PendingAssignments } from './pending-assignments.ts'
import { RoundFailures } from './round-failures.ts'
import { RunBudgets } from './run-budgets.ts'
import { RunParticipants } from './run-participants.ts'
import type { RunParts } from './run-parts.ts'
import { RunRounds } from './run-rounds.ts'

/** A run that is waiting or running: what is stored of it, and who is there now. */
export class ActiveRun implements RunContext {
  readonly runId: string
  readonly settings: ActiveSettings
  readonly time: RunTime
  readonly participants: RunParticipants
  readonly budgets: RunBudgets
  readonly failures: RoundFailures
  readonly assignments: PendingAssignments
  readonly messages: RunMessages
  readonly storage: RunStorage
  readonly mechanism: RunMechanism
  readonly rounds: RunRounds
  readonly evaluations: Evaluations
  readonly #controller = new AbortController()

  private constructor({ manifest, state }: RunRecord, parts: RunParts) {
    const { runId } = manifest
    const { store, clock, gateway, central, events } = parts
    const changeSignal = new ChangeSignal(clock)
    const onChange = (): void => {
      changeSignal.notify()
      events.emit('run.changed', runId)
    }
    const current = () => this.rounds.current
    this.runId = runId
    this.settings = new ActiveSettings({ manifest, runs: store.runs, onChange })
    this.time = { clock, changeSignal, signal: this.#controller.signal, gatherMs: parts.gatherMs }
    this.messages = messagesOf(runId, parts, onChange)
    this.storage = { store, blobs: parts.blobs }
    this.mechanism = { central, noiseSource: parts.noiseSource, refactoriser: parts.refactoriser }
    this.participants = new RunParticipants({ runId, store: store.participants, onChange })
    const { settings, participants } = this
    this.budgets = new RunBudgets({
      manifest,
      participants,
      ledger: store.ledger,
      bounds: parts.bounds,
      central,
      caps: parts.caps,
      progress: () => current()?.journal.progress,
      onChange,
    })
    const { alert } = this.messages
    this.failures = new RoundFailures({ settings, participants, alert, current, onChange })
    this.assignments = new PendingAssignments({
      manifest,
      rounds: store.rounds,
      current,
      onExpired: (clientId, round) => gateway.roundClosed(clientId, { runId, round }),
    })
    this.rounds = new RunRounds({ ...parts, run: this, state, onChange })
    this.evaluations = this.#evaluations(manifest, parts, onChange)
  }

  /** Reads all that is stored of the run, the round under way included, so that updates can come in at once. */
  static async load(record: RunRecord, parts: RunParts): Promise<ActiveRun> {
    const run = new ActiveRun(record, parts)
    const { rounds } = await run.settings.latestPlan()
    await run.participants.load()
    await run.budgets.load()
    const published = await run.storage.store.rounds.publishedCount(run.runId)
    await run.assignments.load(published)
    if (published < rounds) await run.rounds.open(published)
    run.evaluations.catchUp()
    return run
  }

  /** Ends the waiting of whatever waits in this run. */
  abort(reason: string): void {
    this.#controller.abort(new Error(reason))
    this.time.changeSignal.notify()
  }

  #evaluations(manifest: RunManifest, { log, evaluatorFor }: RunParts, onChange: () => void): Evaluations {
    const { runId, settings, storage, messages } = this
    return new Evaluations({
      runId,
      store: storage.store,
      log,
      onChange,
      create: () => evaluatorFor(manifest),
      stateAfter: async (round) => {
        const { basis, sha256 } = (await storage.store.adapters.find(runId, round + 1))!
        return decodeState(manifest, settings.schemaHash, basis, await storage.blobs.read(sha256))
      },
      onFailure: async (error) => {
        log.error({ err: error, runId }, 'evaluating a round failed')
        const code = error instanceof FedsvdError ? error.code : 'UNEXPECTED'
        const message = error instanceof Error ? error.message : String(error)
        await messages.alert(code, `evaluation: ${message}`).catch(() => {})
      },
    })
  }
}

function messagesOf(runId: string, { gateway, tokens, log, alerts }: RunParts, onChange: () => void): RunMessages {
  const raised = alerts.of(runId)
  return {
    gateway,
    tokens,
    log,
    alert: async (code, message, clientId) => {
      if (await raised.raise(code, message, clientId)) onChange()
    },
  }
}
