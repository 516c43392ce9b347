import { tmpdir } from 'node:os'
import { type DataSummary, inspectData } from '@fedsvd/engine/datasets'
import { Command } from 'commander'
import { baselineCommand } from '../baseline/command.ts'
import { DATA_FORMATS, type DataOptions, readOptionsOf, withDataOptions } from '../data-options.ts'
import { collect, example } from '../options.ts'
import { type Output, outputFor, table } from '../output.ts'
import { exampleDataCommand } from './data-example.ts'

interface InspectOptions extends DataOptions {
  readonly label?: readonly string[]
  readonly json?: boolean
}

/** Labels that are printed one by one; `--json` has them all. */
const LABELS_SHOWN = 20

/** `fedsvd data`: what a data set holds, seen at the site only. */
export function dataCommand(): Command {
  const command = new Command('data')
  command.addCommand(
    withDataOptions(
      new Command('inspect')
        .description(
          'Count records, labels and lengths, name the data set by its fingerprint, and show the first problem. Stays here.',
        )
        .argument('<path...>', `${DATA_FORMATS}; several files of one set, or a pattern`),
    )
      .option('--label <name>', 'a label of the run, once for each: any other is a problem', collect)
      .option('--json', 'print the summary as JSON')
      .addHelpText('after', example('fedsvd data inspect notes.csv --text-column body --label-column diagnosis'))
      .action(inspect),
  )
  command.addCommand(baselineCommand()).addCommand(exampleDataCommand())
  return command
}

async function inspect(paths: string[], options: InspectOptions): Promise<void> {
  const output = outputFor(options)
  const summary = await inspectData(paths, { ...readOptionsOf(options), labels: options.label }, tmpdir())
  const { first, count, reasons } = summary.problems
  output.record({ ...summary, problems: { count, reasons, ...(first && { first: first.toJSON() }) } })
  print(summary, output)
  if (first !== undefined) process.exitCode = 1
}

function print(
  { path, files, task, rows, records, columns, labels, lengths, lengthUnit, ...rest }: DataSummary,
  output: Output,
) {
  const { fingerprint, problems, respelled, stopped } = rest
  output.line(`data      ${path}`)
  if (files > 1) output.line(`files     ${files}`)
  output.line(`task      ${task}`)
  output.line(`rows      ${rows}`)
  output.line(`records   ${records}${stopped ? ', then reading stopped' : ''}`)
  if (columns.length > 0) output.line(`columns   ${columns.join(', ')}`)
  if (lengths !== undefined) {
    const { shortest, median, p90, p99, longest } = lengths
    output.line(`lengths   ${lengthUnit}: ${shortest} to ${longest}, median ${median}, 90 % ${p90}, 99 % ${p99}`)
  }
  if (labels.length > 0) {
    const total = labels.reduce((sum, { count }) => sum + count, 0)
    const share = (count: number): string => `${((100 * count) / total).toFixed(1)} %`
    const rows = labels.slice(0, LABELS_SHOWN).map(({ label, count }) => [shownLabel(label), count, share(count)])
    output.line(`labels    ${labels.length}\n`)
    output.line(table([['label', 'count', 'share'], ...rows]))
    if (labels.length > LABELS_SHOWN) output.line(`and ${labels.length - LABELS_SHOWN} more`)
    const odd = labels.filter(({ label }) => shownLabel(label) !== label).length
    if (respelled > 0)
      output.line(`warning   ${respelled} labels are spelled in several ways (such as 1 and 1.0) and count as one`)
    if (odd > 0) output.line(`warning   ${odd} labels have white space at an edge, or characters that do not show`)
    output.line()
  }
  if (fingerprint !== undefined) output.line(`data set  ${fingerprint}`)
  if (problems.first !== undefined) {
    const isOnlyTheEnd = stopped && problems.count === 1
    for (const { reason, count } of isOnlyTheEnd ? [] : problems.reasons)
      output.line(`left out  ${count}: expected ${reason}`)
    output.line(`problems  ${problems.count}, the first:`)
    output.line(problems.first.message)
  }
}

/** A label as it is, or quoted and with escapes where another one could look the same on a screen. */
function shownLabel(label: string): string {
  const isPlain = label === label.trim() && !/[\p{C}\p{Z}]/u.test(label.replaceAll(' ', '')) && !label.includes('  ')
  if (isPlain) return label
  return JSON.stringify(label).replace(/[^\x20-\x7e\p{L}\p{M}\p{N}\p{P}\p{S}]/gu, (character) => {
    return `\\u{${character.codePointAt(0)!.toString(16)}}`
  })
}
