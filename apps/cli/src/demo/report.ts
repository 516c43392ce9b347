import type { RunSnapshot } from '@fedsvd/core/protocol'
import { table } from '../output.ts'

/** What `fedsvd demo --json` writes. Every epsilon is an upper bound, per record, add-or-remove-one, at that delta. */
export interface DemoSummary {
  /** Share of the public hold-out that the final model labels rightly. */
  readonly accuracy: number
  /** Share of the larger class: what guessing would reach. */
  readonly majority: number
  readonly rounds: number
  readonly clients: readonly { name: string; epsilon: number; delta: number; budget: number; steps: number }[]
  /** Folder of adapter_model.safetensors and adapter_config.json. */
  readonly adapter: string
  readonly seconds: number
  readonly runId: string
}

export function summarise(snapshot: RunSnapshot, adapter: string, seconds: number): DemoSummary {
  return {
    accuracy: snapshot.rounds.at(-1)?.evaluation?.accuracy ?? Number.NaN,
    majority: snapshot.baseline?.majority ?? Number.NaN,
    rounds: snapshot.roundsDone,
    clients: snapshot.clients.map(({ name, epsilonUpperBound, delta, budget, steps }) => ({
      name,
      epsilon: epsilonUpperBound,
      delta,
      budget,
      steps,
    })),
    adapter,
    seconds: Math.round(seconds * 10) / 10,
    runId: snapshot.runId,
  }
}

export function summaryText(summary: DemoSummary): string {
  const rows = summary.clients.map(({ name, epsilon, budget, delta, steps }) => [
    name,
    epsilon.toFixed(3),
    budget,
    delta.toExponential(0),
    steps,
  ])
  return [
    table([['client', 'epsilon spent <=', 'budget', 'delta', 'noised steps'], ...rows]),
    '',
    `hold-out accuracy  ${summary.accuracy.toFixed(4)}  (guessing the larger class: ${summary.majority.toFixed(4)})`,
    `rounds             ${summary.rounds}`,
    `time               ${clock(summary.seconds)}`,
    `adapter            ${summary.adapter}`,
    '',
    'epsilon is an upper bound by PLD accounting: unit record, add-or-remove-one, Poisson sampling, against everyone',
    "outside the client's process, the coordinator included.",
  ].join('\n')
}

/** Prints a heading and then one line for each round as it is published and measured. */
export class RoundPrinter {
  private printed = 0
  private headed = false
  private readonly print: (line: string) => void

  constructor(print: (line: string) => void) {
    this.print = print
  }

  show(snapshot: RunSnapshot, secondsSoFar: number): void {
    const names = snapshot.clients.map(({ name }) => name)
    while (this.printed < snapshot.rounds.length) {
      const round = snapshot.rounds[this.printed]!
      if (round.evaluation === undefined && snapshot.baseline !== undefined) return
      if (!this.headed) this.print(`  round  accuracy  ${names.map((name) => `eps ${name}`).join('  ')}  time left`)
      this.headed = true
      this.printed += 1
      const left = (secondsSoFar / this.printed) * (snapshot.manifest.rounds - this.printed)
      const spent = snapshot.clients.map(({ name, epsilonUpperBound }) =>
        epsilonUpperBound.toFixed(2).padStart(name.length + 4),
      )
      const accuracy = round.evaluation?.accuracy.toFixed(4) ?? '-'
      const progress = `${this.printed}/${snapshot.manifest.rounds}`
      this.print(`  ${progress.padStart(5)}  ${accuracy.padStart(8)}  ${spent.join('  ')}  ${clock(left).padStart(9)}`)
    }
  }
}

function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}
