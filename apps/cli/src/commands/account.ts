import { type AccountedEvent, groupEpsilonUpperBound, pld, rdp } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import { Command } from 'commander'
import { eventsRequestSchema } from '../events-file.ts'
import { example, positiveInteger } from '../options.ts'
import { outputFor, table } from '../output.ts'
import { parseInput } from '../parse-input.ts'
import { mostRecords, requireJoinable } from '../site-terms.ts'

/** `fedsvd account`: what a list of privacy events costs, by both accountants. */
export function accountCommand(): Command {
  return new Command('account')
    .option('--group <count>', 'also for a person with that many records, the unit being the record', positiveInteger)
    .option(
      '--records <count>',
      'records of the site: a delta with which it could not join is refused',
      positiveInteger,
    )
    .option('--json', 'print { "epsilonRdp", "epsilonPld", "delta", "mostRecords" }')
    .addHelpText(
      'after',
      example(
        `echo '{"events":[{"sampleRate":0.01,"noiseMultiplier":1,"steps":1000}],"delta":1e-5}' | fedsvd account --json`,
      ),
    )
    .action(async (options: { json?: boolean; group?: number; records?: number }) => {
      const given = parseJson(await readStandardInput())
      const remedy = 'See the example in fedsvd account --help.'
      const { events, delta } = parseInput(eventsRequestSchema, given, 'privacy events', remedy)
      const { group, records } = options
      if (records !== undefined) requireJoinable({ records, delta })
      const answer = {
        ...accountFor(events, delta),
        mostRecords: mostRecords(delta),
        ...(group !== undefined && { group, epsilonGroup: groupEpsilonUpperBound(events, delta, group) }),
      }
      const output = outputFor(options)
      output.record(answer)
      output.line(
        table([
          ['accountant', 'epsilon (upper bound)'],
          ['PLD', answer.epsilonPld.toFixed(4)],
          ['RDP', answer.epsilonRdp.toFixed(4)],
          ...(answer.epsilonGroup === undefined
            ? []
            : [[`PLD, of ${group} records together`, answer.epsilonGroup.toFixed(4)]]),
        ]),
      )
      output.line(`\na client joins with this delta where it declares at most ${answer.mostRecords} records`)
      output.line(
        `at delta ${delta}, unit record, add-or-remove-one, Poisson sampling; holds for events that were fixed before the first of them (docs/explanation/adaptive-composition.md)`,
      )
    })
}

function accountFor(events: readonly AccountedEvent[], delta: number) {
  return { epsilonRdp: rdp.epsilonUpperBound(events, delta), epsilonPld: pld.epsilonUpperBound(events, delta), delta }
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const got = text.trim() === '' ? 'an empty standard input' : `text that is no JSON (${text.trim().slice(0, 40)})`
    throw new FedsvdError(
      'MESSAGE_INVALID',
      {
        expected: 'JSON such as {"events":[{"sampleRate":0.01,"noiseMultiplier":1,"steps":1000}],"delta":1e-5}',
        got,
        remedy: 'Pipe it in: see fedsvd account --help',
      },
      { cause },
    )
  }
}
