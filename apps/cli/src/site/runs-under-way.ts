import type { LoggedEvent } from '@fedsvd/client/event-log'
import type { PrivacyTerms } from '@fedsvd/core/protocol'

/** A run that a client takes part in, as far as its log tells. */
export interface RunUnderWay {
  readonly runId: string
  readonly name: string
  readonly terms: PrivacyTerms
  /** The round that was begun last, from 0; absent before the first. */
  readonly round?: number
  readonly rounds?: number
  /** Steps of that round that are done. */
  readonly step?: number
  readonly steps?: number
  readonly isPaused: boolean
}

/** The runs that a running client has joined since it was started and that have not ended, in the order of joining. */
export function runsUnderWay(log: readonly LoggedEvent[]): readonly RunUnderWay[] {
  const runs = new Map<string, RunUnderWay>()
  const change = (runId: string, changes: Partial<RunUnderWay>): void => {
    const run = runs.get(runId)
    if (run !== undefined) runs.set(runId, { ...run, ...changes })
  }
  for (const event of log) {
    switch (event.event) {
      case 'budget': // told once at each start: what was under way before is offered again
        runs.clear()
        break
      case 'joined':
        runs.set(event.runId, {
          isPaused: false,
          ...runs.get(event.runId),
          runId: event.runId,
          name: event.name,
          terms: event.terms,
        })
        break
      case 'round-started':
        change(event.runId, { round: event.round, rounds: event.rounds, step: 0, isPaused: false })
        break
      case 'step':
        change(event.runId, { round: event.round, step: event.step, steps: event.steps, isPaused: false })
        break
      case 'run-paused':
        change(event.runId, { isPaused: true })
        break
      case 'run-ended':
        runs.delete(event.runId)
        break
      default:
    }
  }
  return [...runs.values()]
}
