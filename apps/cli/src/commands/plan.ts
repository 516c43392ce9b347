import {
  type AccountedEvent,
  ADVERSARY,
  groupEpsilonUpperBound,
  laterRule,
  type PlanRow,
  planTable,
} from '@fedsvd/core/accounting'
import { Command } from 'commander'
import { readEvents } from '../events-file.ts'
import { example, positiveInteger, positiveNumber, probability } from '../options.ts'
import { outputFor, table } from '../output.ts'
import { requireJoinable } from '../site-terms.ts'

interface PlanOptions {
  readonly records: number
  readonly lot: number
  readonly localSteps: number
  readonly epsilon: number
  readonly delta: number
  readonly rounds: number[]
  readonly noiseMultiplier?: number
  readonly prior?: string
  readonly recordsPerPerson?: number
  readonly json?: boolean
}

/** `fedsvd plan`: how much noise and how many rounds a privacy budget buys. */
export function planCommand(): Command {
  return new Command('plan')
    .requiredOption('--records <count>', 'records of the smallest client', positiveInteger)
    .option('--lot <count>', 'expected lot size, at most the records', positiveInteger, 256)
    .option('--local-steps <count>', 'steps of one client in one round', positiveInteger, 2)
    .option('--epsilon <number>', 'budget of each client', positiveNumber, 6)
    .option('--delta <number>', 'at most 1 / records', probability, 1e-5)
    .option('--rounds <counts>', 'one or more numbers of rounds, with commas', roundCounts, [5, 10, 20, 40, 80])
    .option('--noise-multiplier <number>', 'instead: how many rounds this noise allows', positiveNumber)
    .option('--prior <file>', 'plan a later run: the events of the earlier ones, as fedsvd account reads them')
    .option('--records-per-person <count>', 'also what a person with that many records is promised', positiveInteger)
    .option('--json', 'print the rows as JSON')
    .addHelpText(
      'after',
      example(
        'fedsvd plan --records 1500 --lot 256 --epsilon 6',
        'fedsvd plan --records 1500 --noise-multiplier 1.2 --json',
      ),
    )
    .action(async (options: PlanOptions) => {
      requireJoinable(options)
      const { recordsPerPerson: group, epsilon, delta } = options
      const prior = options.prior === undefined ? [] : await readEvents(options.prior)
      const rule = laterRule(prior, options)
      const rows = plan(options, prior).map((row) => ({
        ...row,
        ...(group !== undefined && { epsilonOfPerson: ofPerson(row, options, prior, group) }),
      }))
      const ofPersonHeader = group === undefined ? [] : [`of ${group} records together (PLD)`]
      const output = outputFor(options)
      output.record({ epsilon, delta, sampleRate: sampleRate(options), ...(rule && { rule }), rows })
      output.line(
        table([
          [
            'rounds',
            'steps',
            'spare',
            'noise multiplier',
            ...(rule ? ['epsilon (filter)'] : []),
            'epsilon (PLD)',
            'epsilon (RDP)',
            ...ofPersonHeader,
          ],
          ...rows.map((row) => [
            row.rounds,
            row.steps,
            row.spareSteps,
            row.noiseMultiplier.toFixed(4),
            ...(row.epsilonFilter === undefined ? [] : [row.epsilonFilter.toFixed(4)]),
            row.epsilonPld.toFixed(4),
            row.epsilonRdp.toFixed(4),
            ...(row.epsilonOfPerson === undefined ? [] : [row.epsilonOfPerson.toFixed(4)]),
          ]),
        ]),
      )
      output.line(
        `\nbudget: epsilon ${epsilon} at delta ${delta} unit record (add-or-remove-one, against ${ADVERSARY.record}), sample rate ${sampleRate(options).toFixed(4)}`,
      )
      output.line(
        'spare: steps that only interruptions spend; the noise is enough for them too, and epsilon is that of a run without any',
      )
      output.line(
        rule === undefined
          ? 'rule: PLD, for the first run over the data, whose schedule is fixed before it begins; a later run is charged by a filter (--prior)'
          : `rule: the Renyi filter at order ${rule.order.toFixed(3)} over all runs, those of --prior included; epsilon by PLD and RDP is an odometer there, no bound. Where the first run may take all of the budget, its ledger admits no other run`,
      )
    })
}

function plan(options: PlanOptions, prior: readonly AccountedEvent[]): PlanRow[] {
  const { epsilon, delta, localSteps, noiseMultiplier, rounds } = options
  const question = { epsilon, delta, sampleRate: sampleRate(options), stepsPerRound: localSteps, prior }
  return planTable(
    noiseMultiplier === undefined ? { ...question, rounds } : { ...question, noiseMultipliers: [noiseMultiplier] },
  )
}

function ofPerson(
  { steps, noiseMultiplier }: PlanRow,
  options: PlanOptions,
  prior: readonly AccountedEvent[],
  group: number,
): number {
  const events = [...prior, ...(steps === 0 ? [] : [{ sampleRate: sampleRate(options), noiseMultiplier, steps }])]
  return groupEpsilonUpperBound(events, options.delta, group)
}

function sampleRate({ lot, records }: PlanOptions): number {
  return lot / records
}

function roundCounts(text: string): number[] {
  return text.split(',').map(positiveInteger)
}
