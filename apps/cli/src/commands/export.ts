import { Command } from 'commander'
import { type AccessOptions, accessOf, withAccess } from '../access.ts'
import { exportAdapter } from '../export-adapter.ts'
import { example } from '../options.ts'
import { outputFor } from '../output.ts'

/** `fedsvd export`: the newest adapter of a run, as files that PEFT reads. */
export function exportCommand(): Command {
  return withAccess(
    new Command('export')
      .description("Write a run's newest adapter as adapter_model.safetensors and adapter_config.json.")
      .argument('<run>', 'identifier of the run'),
  )
    .option('--out <folder>', 'folder to write to', 'adapter')
    .option('--json', 'print { "files" }')
    .addHelpText(
      'after',
      example('fedsvd export 3f2504e0-4f89-41d3-9a0c-0305e82c3301 --coordinator http://127.0.0.1:7373 --out adapter'),
    )
    .action(async (runId: string, options: AccessOptions & { out: string; json?: boolean }) => {
      const files = await exportAdapter(accessOf(options), runId, options.out)
      const output = outputFor(options)
      output.record({ files })
      for (const file of files) output.line(`wrote ${file}`)
    })
}
