import type { PrivacyUnit } from '@fedsvd/core/accounting'
import type { RunSnapshot } from '@fedsvd/core/protocol'
import { table } from '../output.ts'

/** What one client has spent at one level of privacy. */
export interface ClientSpending {
  readonly name: string
  readonly unit: PrivacyUnit
  readonly adversary: string
  readonly epsilon: number
  readonly delta: number
  readonly budget: number
  /** Noised steps of the client (unit record or person), or draws of the coordinator's own noise (unit client). */
  readonly steps: number
}

/**
 * What `fedsvd demo --json` writes. Every epsilon is an upper bound, add-or-remove-one, at the delta and for the unit
 * beside it.
 */
export interface DemoSummary {
  /** Share of the public hold-out that the final model labels rightly. */
  readonly accuracy: number
  /** Share of the larger class: what guessing would reach. */
  readonly majority: number
  readonly rounds: number
  readonly clients: readonly ClientSpending[]
  /** Folder of adapter_model.safetensors and adapter_config.json. */
  readonly adapter: string
  readonly seconds: number
  readonly runId: string
  /** Where the coordinator answers that was left running, and what signs in there once; with --keep alone. */
  readonly dashboard?: string
  readonly signIn?: string
}

export function summarise(snapshot: RunSnapshot, adapter: string, seconds: number): DemoSummary {
  return {
    accuracy: snapshot.rounds.at(-1)?.evaluation?.accuracy ?? Number.NaN,
    majority: snapshot.baseline?.majority ?? Number.NaN,
    rounds: snapshot.roundsDone,
    clients: spendingOf(snapshot),
    adapter,
    seconds: Math.round(seconds * 10) / 10,
    runId: snapshot.runId,
  }
}

/** One entry for each client and unit. */
function spendingOf({ clients }: RunSnapshot): ClientSpending[] {
  return clients.flatMap(({ name, clientLevel, ...record }) => [
    spending(name, record, record.steps),
    ...(clientLevel ? [spending(name, clientLevel, clientLevel.draws)] : []),
  ])
}

function spending(
  name: string,
  {
    unit,
    adversary,
    epsilonUpperBound,
    delta,
    budget,
  }: Omit<ClientSpending, 'name' | 'epsilon' | 'steps'> & {
    readonly epsilonUpperBound: number
  },
  steps: number,
): ClientSpending {
  return { name, unit, adversary, epsilon: epsilonUpperBound, delta, budget, steps }
}

export function summaryText(summary: DemoSummary): string {
  const against = new Map(summary.clients.map(({ unit, adversary }) => [unit, adversary]))
  const rows = summary.clients.map(({ name, unit, epsilon, budget, delta, steps }) => [
    name,
    unit,
    epsilon.toFixed(3),
    budget,
    delta.toExponential(0),
    steps,
  ])
  return [
    table([['client', 'unit', 'epsilon spent <=', 'budget', 'delta', 'noised steps'], ...rows]),
    '',
    `hold-out accuracy  ${summary.accuracy.toFixed(4)}  (guessing the larger class: ${summary.majority.toFixed(4)})`,
    `rounds             ${summary.rounds}`,
    `time               ${clock(summary.seconds)}`,
    `adapter            ${summary.adapter}`,
    '',
    'The sites of the demo send when they have trained (--no-release-grid): how long that took is not protected here.',
    'epsilon spent is an odometer, an upper bound by PLD of what was spent so far; the guarantee is the budget:',
    'add-or-remove-one, Poisson sampling of records, for each unit against',
    ...Array.from(against, ([unit, adversary]) => `  ${unit}: ${adversary}`),
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
    while (this.printed < snapshot.roundsDone) {
      const round = snapshot.rounds.find((candidate) => candidate.round === this.printed)
      if (round === undefined) return
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
