import { Command } from 'commander'
import { prepareDemoData } from '../demo/data.ts'
import { example } from '../options.ts'
import { outputFor } from '../output.ts'

/** `fedsvd data example`: real records to try the other commands with. */
export function exampleDataCommand(): Command {
  return new Command('example')
    .description(
      'Write the data of the demo, to try the other commands with: real e-mail of three sites and a public hold-out, ' +
        'as JSONL with "text" and "label" (ham or spam).',
    )
    .argument('<folder>', 'folder to write to; made if need be')
    .option('--json', 'print { "holdOut", "sites": [{ "name", "file" }] }')
    .addHelpText('after', example('fedsvd data example data'))
    .action(writeExample)
}

async function writeExample(folder: string, options: { readonly json?: boolean }): Promise<void> {
  const output = outputFor(options)
  const { holdOut, clients } = await prepareDemoData(folder)
  output.record({ holdOut, sites: clients.map(({ name, file }) => ({ name, file })) })
  for (const { file } of clients) output.line(file)
  output.line(`${holdOut}  (public, to measure on)`)
}
