import type { Evaluation } from '@fedsvd/core/protocol'
import { EXPORT_FORMATS, type ExportFormat } from '@fedsvd/engine/settings'
import { Command, Option } from 'commander'
import { type AccessOptions, accessOf, withAccess } from '../access.ts'
import { exportRun } from '../export-run.ts'
import { type ModelOptions, modelSettingsOf, withModelOptions } from '../model-options.ts'
import { fetchRun } from '../operator-client.ts'
import { example, identifier } from '../options.ts'
import { outputFor } from '../output.ts'

interface ExportOptions extends AccessOptions, ModelOptions {
  readonly format: ExportFormat
  readonly out?: string
  readonly json?: boolean
}

/** `fedsvd export`: the newest state of a run, as files that need nothing of fedsvd. */
export function exportCommand(): Command {
  const command = withAccess(new Command('export').argument('<run>', 'identifier of the run', identifier))
  return withModelOptions(command)
    .addOption(
      new Option(
        '--format <format>',
        'peft: the adapter alone; merged and onnx: the whole model, whose checkpoint has to be on this machine',
      )
        .choices(EXPORT_FORMATS)
        .default('peft'),
    )
    .option('--out <folder>', 'folder to write to (default: adapter, merged or onnx)')
    .option('--json', 'print { "files", "evaluation" }')
    .addHelpText(
      'after',
      example(
        'fedsvd export 3f2504e0-4f89-41d3-9a0c-0305e82c3301 --coordinator http://127.0.0.1:7373 --operator-token-file operator.token --out adapter',
        'fedsvd export 3f2504e0-4f89-41d3-9a0c-0305e82c3301 --coordinator http://127.0.0.1:7373 --operator-token-file operator.token --format merged --models models --out my-bert-tuned',
      ),
    )
    .action(async (runId: string, options: ExportOptions) => {
      const { format, out = format === 'peft' ? 'adapter' : format } = options
      const access = await accessOf(options)
      const files = await exportRun(access, runId, { format, folder: out, models: modelSettingsOf(options) })
      const evaluation = (await fetchRun(access, runId)).rounds.at(-1)?.evaluation
      const output = outputFor(options)
      output.record({ files, ...(evaluation && { evaluation }) })
      for (const file of files) output.line(`wrote ${file}`)
      if (evaluation) output.line(qualityText(evaluation))
    })
}

/** What the newest round measured on the coordinator's public hold-out. */
export function qualityText({ accuracy, microF1, records }: Evaluation): string {
  const tags = microF1 === undefined ? '' : `, micro-F1 over all tags but O ${microF1.toFixed(4)}`
  return `accuracy ${accuracy.toFixed(4)}${tags} on ${records} public records`
}
