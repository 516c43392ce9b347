import type { ClientEvent } from '@fedsvd/client'
import { roundNumber } from '@fedsvd/core/errors'
import { clockTime, RoundPace } from './pace.ts'

/** Where progress is shown. */
export interface Screen {
  /** True for a terminal: one line is rewritten, and it may show what is private to this site. */
  readonly isTerminal: boolean
  readonly columns: number
  write(text: string): void
}

const REWRITE_MS = 100
const LINE_MS = 30_000

/** The event of a step as it may be written down: without the numbers of its records, which are private. */
export type PublicStep = Omit<Extract<ClientEvent, { event: 'step' }>, 'records' | 'leftOut'> & {
  readonly secondsLeft: number
}

/**
 * Follows the rounds of a client and shows how far they are.
 *
 * On a terminal: one line, rewritten at most ten times a second, with the size of the lot, records a second and the
 * time left. Anywhere else, where output is kept and passed on: a plain line after a step, at most one in half a
 * minute, with steps and the time left only. Sizes of lots, and whatever they can be computed from, are private and do
 * not get into files.
 */
export class Progress {
  readonly #screen: Screen
  readonly #now: () => number
  readonly #rounds = new Map<string, RoundPace>()
  #shown = ''
  #lastShown = Number.NEGATIVE_INFINITY

  constructor(screen: Screen, now: () => number = performance.now.bind(performance)) {
    this.#screen = screen
    this.#now = now
    this.#lastLine = now()
  }

  #lastLine: number

  /** Within a step. */
  part({ runId, round, step, steps, done, of }: Extract<ClientEvent, { event: 'part' }>): void {
    const pace = this.#paceOf(runId, round, step, steps)
    const now = this.#now()
    if (!this.#screen.isTerminal || now - this.#lastShown < REWRITE_MS) return
    const { recordsPerSecond, secondsLeft } = pace.at(now, done, of)
    const place = `round ${roundNumber(round)}, step ${step} of ${steps}`
    const speed = `${recordsPerSecond.toFixed(recordsPerSecond < 10 ? 1 : 0)} records/s`
    this.#rewrite(`  ${place}: ${done} of ${of} records, ${speed}, ${clockTime(secondsLeft)} left (seen here only)`)
    this.#lastShown = now
  }

  /** A step has ended. @returns the step as it may be written down, and its line where one is due */
  step({ records, leftOut, ...step }: Extract<ClientEvent, { event: 'step' }>): {
    fact: PublicStep
    line: string | undefined
  } {
    const key = keyOf(step.runId, step.round)
    const pace = this.#rounds.get(key) ?? this.#paceOf(step.runId, step.round, step.step, step.steps, step.seconds)
    pace.stepped(records)
    const now = this.#now()
    const { secondsLeft } = pace.at(now)
    if (step.step === step.steps) this.#rounds.delete(key)
    const fact = { ...step, secondsLeft: Math.round(Math.max(0, secondsLeft)) }
    if (this.#screen.isTerminal && leftOut > 0) {
      this.#rewrite(`  step ${step.step}: ${leftOut} of ${records} records counted as zeros (seen here only)`)
    }
    if (this.#screen.isTerminal || now - this.#lastLine < LINE_MS) return { fact, line: undefined }
    this.#lastLine = now
    return { fact, line: `  step ${step.step} of ${step.steps}, ${clockTime(secondsLeft)} left in this round` }
  }

  /** Makes room for a line of another kind. */
  clear(): void {
    if (this.#shown !== '') this.#screen.write(`\r${' '.repeat(this.#shown.length)}\r`)
    this.#shown = ''
  }

  #rewrite(text: string): void {
    const line = text.slice(0, Math.max(0, this.#screen.columns - 1))
    this.#screen.write(`\r${line.padEnd(this.#shown.length)}`)
    this.#shown = line
  }

  /** @param before seconds that the step has taken already */
  #paceOf(runId: string, round: number, step: number, steps: number, before = 0): RoundPace {
    const key = keyOf(runId, round)
    const known = this.#rounds.get(key)
    if (known !== undefined) return known
    const pace = new RoundPace(steps, step, this.#now() - 1000 * before)
    this.#rounds.set(key, pace)
    return pace
  }
}

function keyOf(runId: string, round: number): string {
  return `${runId}/${round}`
}
