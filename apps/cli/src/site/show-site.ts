import type { PendingRun } from '@fedsvd/client/approvals'
import type { LoggedEvent } from '@fedsvd/client/event-log'
import { roundNumber } from '@fedsvd/core/errors'
import { sentence } from '../join/sentences.ts'
import { table } from '../output.ts'
import { printable } from '../printable.ts'
import type { RunUnderWay } from './runs-under-way.ts'
import type { SiteClient } from './site-state.ts'

/** What a client of a site is at, for people. @param lines so many of the last events */
export function clientText({ budget, isRunning, spending, runs, pending, log }: SiteClient, lines: number): string {
  const started = log.findLast(({ event }) => event === 'budget')
  const since = isRunning && started !== undefined ? ` since ${started.at}` : ''
  return [
    `client   of the budget "${budget}": ${isRunning ? 'running' : 'not running'}${since}`,
    `budget   ${spendingText(spending)}`,
    ...runs.map((run) => `run      ${runText(run)}`),
    ...(runs.length === 0 ? ['run      none'] : []),
    ...(pending.length === 0 ? [] : ['', 'waiting for a decision:', pendingTable(pending)]),
    '',
    ...log
      .filter(({ event }) => event !== 'step')
      .slice(-lines)
      .map(eventLine),
  ].join('\n')
}

function spendingText(spending: SiteClient['spending']): string {
  if (spending === undefined) return 'nothing spent: this client has agreed to no run yet'
  const { budget, unit, epsilonCharged, remaining, renewed } = spending
  return `epsilon ${budget.epsilon} at delta ${budget.delta}${unit === undefined ? '' : ` per ${unit}`}, spent ${epsilonCharged.toFixed(4)}, left ${remaining.toFixed(4)}${renewed === undefined ? '' : ` (since ${renewed.since}; all periods together: epsilon ${renewed.inAll.epsilon})`}`
}

function runText({ runId, name, terms, round, rounds, step, steps, isPaused }: RunUnderWay): string {
  const place =
    round === undefined
      ? 'joined, no round yet'
      : `round ${roundNumber(round)} of ${rounds}${steps === undefined ? '' : `, step ${step} of ${steps}`}`
  return `${runId}  "${name}": ${place}${isPaused ? ', paused' : ''}, epsilon at most ${terms.budget.epsilon}`
}

/** Runs that wait, each with its cost. */
export function pendingTable(runs: readonly PendingRun[]): string {
  const head = ['run', 'name', 'coordinator', 'model', 'epsilon', 'delta', 'noise', 'steps', 'spent', 'after', 'left']
  return table([
    head,
    ...runs.map(({ runId, name, coordinator, model, terms, steps, cost }) => [
      runId,
      name,
      coordinator,
      model,
      `<= ${terms.budget.epsilon}`,
      terms.budget.delta,
      terms.noiseMultiplier.toFixed(3),
      steps,
      cost.chargedBefore.toFixed(4),
      cost.chargedAfter.toFixed(4),
      cost.remainingAfter.toFixed(4),
    ]),
  ])
}

/** One event of the log as a line. */
export function eventLine(event: LoggedEvent): string {
  return printable(`${event.at}  ${textOf(event)}`)
}

function textOf(event: LoggedEvent): string {
  if (event.event !== 'step') return sentence(event)
  return `round ${roundNumber(event.round)}, step ${event.step} of ${event.steps}`
}
