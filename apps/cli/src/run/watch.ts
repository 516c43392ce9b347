import { isRunOver, type RunSnapshot } from '@fedsvd/core/protocol'
import { upperBound } from '../figures.ts'
import { followRun, type OperatorAccess } from '../operator-client.ts'
import type { Output } from '../output.ts'
import { accuracyOf, currentText, highestEpsilon, progressOf } from './run-text.ts'

/** One line of what a run does, as `run watch --json` prints it. */
export interface WatchedLine {
  readonly runId: string
  readonly state: RunSnapshot['state']
  readonly reason?: string
  readonly roundsDone: number
  readonly rounds: number
  /** The round under way, counted from 1. */
  readonly round?: number
  readonly received?: number
  readonly selected?: number
  readonly accuracy?: number
  readonly highestEpsilon: number
}

export function watchedLine(run: RunSnapshot): WatchedLine {
  const { runId, state, reason, roundsDone, plan, manifest, current } = run
  const accuracy = accuracyOf(run)
  return {
    runId,
    state,
    ...(reason !== undefined && { reason }),
    roundsDone,
    rounds: plan?.rounds ?? manifest.rounds,
    ...(current && {
      round: current.round + 1,
      received: current.received.length,
      selected: current.selected.length,
    }),
    ...(accuracy !== undefined && { accuracy }),
    highestEpsilon: highestEpsilon(run),
  }
}

function textOf(run: RunSnapshot): string {
  const accuracy = accuracyOf(run)
  const parts = [
    `${run.state}${run.reason === undefined ? '' : ` (${run.reason})`}`,
    `rounds ${progressOf(run)}`,
    ...(accuracy === undefined ? [] : [`accuracy ${accuracy.toFixed(4)}`]),
    `highest epsilon at most ${upperBound(highestEpsilon(run))}`,
    ...(isRunOver(run.state) ? [] : [currentText(run) ?? 'between two rounds']),
  ]
  return `${new Date().toISOString().slice(11, 19)}Z  ${parts.join(', ')}`
}

/** Prints a line for each change of a run until it has ended; resolves with its last snapshot. */
export async function watchRun(access: OperatorAccess, runId: string, output: Output): Promise<RunSnapshot> {
  let last = ''
  const show = (run: RunSnapshot): void => {
    const line = watchedLine(run)
    const text = JSON.stringify(line)
    if (text === last) return
    last = text
    output.record(line)
    output.line(textOf(run))
  }
  using run = followRun(access, runId, show)
  return await run.ended
}
