import type { AdapterState } from '@fedsvd/core/lora'
import type { Logger } from 'pino'
import type { Store } from '../storage/records/index.ts'
import type { Evaluator } from './evaluator.ts'

export interface EvaluationsOptions {
  readonly runId: string
  readonly store: Store
  readonly create: () => Promise<Evaluator | undefined>
  /** The state that came out of a published round. */
  readonly stateAfter: (round: number) => Promise<AdapterState>
  readonly onChange: () => void
  readonly onFailure: (error: unknown) => Promise<void>
  readonly log: Logger
}

/**
 * Evaluates every published round in order, beside the rounds and never in their way. What is missing is read from the
 * store, so a restarted coordinator catches up. A state that cannot be evaluated is reported and skipped.
 */
export class Evaluations implements AsyncDisposable {
  readonly #options: EvaluationsOptions
  /** Every published round before this one has been evaluated or reported. */
  #next = 0
  #evaluator: Promise<Evaluator | undefined> | undefined
  #working: Promise<void> | undefined
  #again = false
  #ended = false

  constructor(options: EvaluationsOptions) {
    this.#options = options
  }

  /** Looks for published rounds without an evaluation. */
  catchUp(): void {
    this.#again = true
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined
      if (this.#again) this.catchUp()
    })
  }

  /** Resolves when every published round has been evaluated or reported. */
  async settled(): Promise<void> {
    this.catchUp()
    while (this.#working !== undefined) await this.#working
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true
    while (this.#working !== undefined) await this.#working
    const evaluator = await this.#evaluator
    await evaluator?.[Symbol.asyncDispose]()
  }

  async #work(): Promise<void> {
    const { runId, store, onFailure } = this.#options
    this.#evaluator ??= this.#open().catch(async (error: unknown) => {
      await onFailure(error)
      return undefined
    })
    const evaluator = await this.#evaluator
    while (this.#again) {
      this.#again = false
      if (evaluator === undefined || this.#ended) return
      for (const { round, evaluation } of await store.rounds.published(runId, this.#next)) {
        if (evaluation === undefined) await this.#evaluate(evaluator, round)
        if (this.#ended) return
        this.#next = round + 1
      }
    }
  }

  async #open(): Promise<Evaluator | undefined> {
    const { runId, store, create, onChange } = this.#options
    const evaluator = await create()
    if (evaluator === undefined) return undefined
    await store.runs.setBaseline(runId, evaluator.baseline)
    onChange()
    return evaluator
  }

  async #evaluate(evaluator: Evaluator, round: number): Promise<void> {
    const { runId, store, stateAfter, onChange, onFailure, log } = this.#options
    try {
      const evaluation = await evaluator.evaluate(await stateAfter(round))
      await store.rounds.setEvaluation(runId, round, evaluation)
      log.info({ runId, round, ...evaluation }, 'round evaluated')
      onChange()
    } catch (error) {
      await onFailure(error)
    }
  }
}
