import { FedsvdError } from '@fedsvd/core/errors'
import { DEFAULT_TASK } from '@fedsvd/core/lora'
import { STARTER_MODEL } from '@fedsvd/core/protocol'
import { splitForTest } from '@fedsvd/engine/baselines'
import { readSiteRecords, type TextRecord } from '@fedsvd/engine/datasets'
import { Command } from 'commander'
import { DATA_FORMATS, type DataOptions, readOptionsOf, withReadOptions } from '../data-options.ts'
import { type ModelOptions, modelSettingsOf, withModelOptions } from '../model-options.ts'
import { collect, example, positiveInteger } from '../options.ts'
import { outputFor, table } from '../output.ts'
import type { BaselineData, BaselineRow } from './baselines.ts'

interface BaselineOptions extends Omit<DataOptions, 'unitColumn'>, ModelOptions {
  readonly test?: readonly string[]
  readonly model: string
  readonly simple?: boolean
  readonly maxTokens?: number
  readonly epochs: number
  readonly seed: string
  readonly threads: number
  readonly json?: boolean
}

const FOR_THIS_SITE = `These figures are without privacy: each can tell of single records. They are for this site's own eyes.`

/** `fedsvd data baseline`: what a site reaches alone, which a federation has to beat. */
export function baselineCommand(): Command {
  const command = new Command('baseline')
    .description(
      'What this site reaches alone, without a federation and without privacy: the figures that a run has to beat. ' +
        'Needs no coordinator, charges no budget; nothing leaves.',
    )
    .argument('<path...>', `labelled texts: ${DATA_FORMATS}`)
    .option('--test <path>', 'records to test on, once for each file; default: a fifth of the others', collect)
    .option('--model <name>', 'model that is trained here alone', STARTER_MODEL)
    .option('--simple', 'without the model: the largest class, and TF-IDF with logistic regression')
    .option('--max-tokens <count>', 'cut texts to so many tokens (default: as a run does)', positiveInteger)
    .option('--epochs <count>', 'passes over the records at most', positiveInteger, 20)
    .option('--seed <text>', 'decides which records are kept apart', 'baseline')
    .option('--threads <count>', 'threads of the model', positiveInteger, 1)
    .option('--json', 'print { "training", "test", "baselines" }')
  return withModelOptions(withReadOptions(command))
    .addHelpText(
      'after',
      example('fedsvd data baseline notes.csv --test public.csv', 'fedsvd data baseline notes.jsonl --simple'),
    )
    .addHelpText('after', `\n${FOR_THIS_SITE}\n`)
    .action(baseline)
}

async function baseline(paths: string[], options: BaselineOptions): Promise<void> {
  const output = outputFor(options)
  const data = await dataOf(paths, options)
  const { simpleBaselines, modelAlone } = await import('./baselines.ts')
  const rows: BaselineRow[] = [...simpleBaselines(data)]
  if (!options.simple) {
    const { modelStore } = await import('@fedsvd/engine/models')
    const { model, maxTokens, epochs, seed, threads } = options
    rows.push(
      await modelAlone(data, {
        model,
        maxTokens,
        epochs,
        seed,
        runtime: { threads },
        models: modelStore(modelSettingsOf(options)),
        onEpoch: (epoch, accuracy) => {
          if (process.stderr.isTTY)
            process.stderr.write(`epoch ${epoch} of ${epochs} at most, accuracy ${accuracy.toFixed(4)}\n`)
        },
      }),
    )
  }
  output.record({ training: data.training.length, test: data.test.length, baselines: rows })
  output.line(`trained on ${data.training.length} records, tested on ${data.test.length}\n`)
  const cells = rows.map(({ name, accuracy, interval: { low, high } }) => [
    name,
    accuracy.toFixed(4),
    `${low.toFixed(3)} to ${high.toFixed(3)}`,
  ])
  output.line(table([['baseline', 'accuracy', '95 % interval'], ...cells]))
  output.line(`\n${FOR_THIS_SITE}`)
}

async function dataOf(paths: readonly string[], options: BaselineOptions): Promise<BaselineData> {
  const read = async (from: readonly string[]): Promise<TextRecord[]> => {
    const records: TextRecord[] = []
    const reading = { ...readOptionsOf(options), task: options.task ?? DEFAULT_TASK }
    for await (const record of readSiteRecords(from, reading)) {
      if (!('label' in record)) throw noLabels(reading.task)
      records.push(record)
    }
    return records
  }
  const given = await read(paths)
  const { training, test } =
    options.test === undefined ? splitForTest(given, options.seed) : { training: given, test: await read(options.test) }
  const labels = [...new Set(training.map(({ label }) => label))].sort()
  if (labels.length < 2 || test.length === 0) throw tooFew(labels, test.length)
  return { training, test, labels }
}

function noLabels(task: string): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', {
    expected: 'labelled texts: a baseline is of classification',
    got: `records for ${task}`,
    remedy: 'Name the column of the label with --label-column',
  })
}

function tooFew(labels: readonly string[], test: number): FedsvdError {
  return new FedsvdError('DATA_EMPTY', {
    expected: 'records of two labels or more to train on, and some to test on',
    got: `labels: ${labels.join(', ') || 'none'}; ${test} records to test on`,
    remedy: 'Give more records, or records to test on with --test',
  })
}
