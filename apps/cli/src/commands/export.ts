import { roundNumber } from '@fedsvd/core/errors'
import type { Evaluation } from '@fedsvd/core/protocol'
import { EXPORT_FORMATS, type ExportFormat } from '@fedsvd/engine/settings'
import { Command, Option } from 'commander'
import { type AccessOptions, accessOf, withAccess } from '../access.ts'
import { evaluationOf, exportFetchedRun, roundIn, type WhichRound } from '../export-run.ts'
import { type ModelOptions, modelSettingsOf, withModelOptions } from '../model-options.ts'
import { fetchRun } from '../operator-client.ts'
import { example, round } from '../options.ts'
import { outputFor } from '../output.ts'
import { runNamed } from '../run/run-named.ts'

interface ExportOptions extends AccessOptions, ModelOptions {
  readonly format: ExportFormat
  readonly round?: WhichRound
  readonly out?: string
  readonly json?: boolean
}

/** `fedsvd export`: a state of a run, as files that need nothing of fedsvd. */
export function exportCommand(): Command {
  const command = withAccess(new Command('export').argument('<run>', 'name or identifier of the run'))
  return withModelOptions(command)
    .addOption(
      new Option(
        '--format <format>',
        'peft: the adapter alone; merged and onnx: the whole model, whose checkpoint has to be on this machine',
      )
        .choices(EXPORT_FORMATS)
        .default('peft'),
    )
    .option(
      '--round <number>',
      'after which round, counted from 1, or best: by accuracy on the hold-out (default: the newest)',
      round,
    )
    .option('--out <folder>', 'folder to write to (default: adapter, merged or onnx)')
    .option('--json', 'print { "files", "round", "evaluation" }')
    .addHelpText(
      'after',
      example(
        'fedsvd export reviews --out adapter',
        'fedsvd export reviews --format merged --models models --out my-bert-tuned',
        'fedsvd export 3f2504e0-4f89-41d3-9a0c-0305e82c3301 --coordinator http://127.0.0.1:7373 --operator-token-file operator.token --round best',
      ),
    )
    .action(async (named: string, options: ExportOptions) => {
      const { format, out = format === 'peft' ? 'adapter' : format } = options
      const access = await accessOf(options)
      const run = await fetchRun(access, await runNamed(access, named))
      const number = roundNumber(roundIn(run, options.round))
      const request = { format, folder: out, models: modelSettingsOf(options), round: number }
      const files = await exportFetchedRun(access, run, request)
      const evaluation = evaluationOf(run, number - 1)
      const output = outputFor(options)
      output.record({ files, round: number, ...(evaluation && { evaluation }) })
      for (const file of files) output.line(`wrote ${file}`)
      if (evaluation) output.line(qualityText(evaluation))
    })
}

/** What a round measured on the coordinator's public hold-out. */
export function qualityText({ accuracy, microF1, records }: Evaluation): string {
  const tags = microF1 === undefined ? '' : `, micro-F1 over all tags but O ${microF1.toFixed(4)}`
  return `accuracy ${accuracy.toFixed(4)}${tags} on ${records} public records`
}
