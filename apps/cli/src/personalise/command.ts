import { availableParallelism } from 'node:os'
import { Command, Option } from 'commander'
import { DATA_FORMATS, type DataOptions, readOptionsOf, withReadOptions } from '../data-options.ts'
import { type ModelOptions, modelSettingsOf, withModelOptions } from '../model-options.ts'
import { collect, example, positiveInteger } from '../options.ts'
import { outputFor } from '../output.ts'

interface PersonaliseOptions extends Omit<DataOptions, 'unitColumn'>, ModelOptions {
  readonly data: readonly string[]
  readonly out: string
  readonly train: 'all' | 'head'
  readonly epochs: number
  readonly threads: number
  readonly seed: string
  readonly json?: boolean
}

const STAYS = 'It was trained without privacy: neither it nor a figure of it may leave this site.'

/** `fedsvd personalise`: the model of a run, trained on with the records of one site, for this site alone. */
export function personaliseCommand(): Command {
  const command = new Command('personalise')
    .argument('<adapter>', 'folder that fedsvd export --format peft wrote')
    .requiredOption('--data <path>', `records of this site, once for each file: ${DATA_FORMATS}`, collect)
    .option('--out <folder>', 'folder to make, readable for its owner alone', 'personal')
    .addOption(
      new Option('--train <part>', 'the head alone, or the factors B too').choices(['all', 'head']).default('all'),
    )
    .option('--epochs <count>', 'passes over the records at most', positiveInteger, 5)
    .option('--threads <count>', 'threads of the runtime', positiveInteger, availableParallelism())
    .option('--seed <text>', 'decides which fifth of the records is kept to measure on', 'personalise')
    .option('--json', 'print { "files", "training", "validation", "before", "after" }')
  return withModelOptions(withReadOptions(command))
    .addHelpText(
      'after',
      example('fedsvd personalise adapter --data notes.csv --out personal', 'fedsvd predict personal letters.csv'),
    )
    .addHelpText('after', `\nNo coordinator is asked and no budget charged. ${STAYS}\n`)
    .action(run)
}

async function run(folder: string, options: PersonaliseOptions): Promise<void> {
  const output = outputFor(options)
  const { modelStore } = await import('@fedsvd/engine/models')
  const { personalise } = await import('./personalise.ts')
  const { data, out, train, epochs, threads, seed } = options
  const result = await personalise({
    folder,
    data,
    reading: readOptionsOf(options),
    out,
    train,
    epochs,
    threads,
    seed,
    models: modelStore(modelSettingsOf(options)),
    onEpoch: (epoch, { accuracy, loss }) =>
      output.line(`epoch ${epoch} of ${epochs} at most: accuracy ${accuracy.toFixed(4)}, loss ${loss.toFixed(4)}`),
  })
  output.record(result)
  const { files, training, validation, before, after } = result
  for (const file of files) output.line(`wrote ${file}`)
  output.line(`trained on ${training} records, measured on ${validation} others:`)
  output.line(`accuracy ${before.accuracy.toFixed(4)} before, ${after.accuracy.toFixed(4)} after`)
  output.line(STAYS)
}
