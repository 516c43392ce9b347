import { FedsvdError } from '@fedsvd/core/errors'
import { predictsTokens, type Task } from '@fedsvd/core/lora'
import type { ModelInUse } from '@fedsvd/engine/inference'
import { Command } from 'commander'
import { DATA_FORMATS, type DataOptions, readOptionsOf, withReadOptions } from '../data-options.ts'
import { evaluationText } from '../model-in-use/evaluation-text.ts'
import { openSource, type SourceOptions, withModelSource } from '../model-in-use/source.ts'
import { collect, example } from '../options.ts'
import { outputFor } from '../output.ts'

interface EvaluateOptions extends SourceOptions, DataOptions {
  readonly data: readonly string[]
  readonly json?: boolean
}

/** `fedsvd evaluate`: how good a model is on labelled records. */
export function evaluateCommand(): Command {
  const command = withModelSource(new Command('evaluate')).requiredOption(
    '--data <path>',
    `records with their labels: ${DATA_FORMATS}; once for each file of one set`,
    collect,
  )
  return withReadOptions(command)
    .option('--json', 'print one JSON object with every figure')
    .addHelpText(
      'after',
      example(
        'fedsvd evaluate adapter --data test.csv',
        'fedsvd evaluate merged --data test.csv --text-column body --label-column class --json',
        'fedsvd evaluate 3f2504e0-4f89-41d3-9a0c-0305e82c3301 --data test.jsonl --coordinator http://127.0.0.1:7373 --operator-token-file operator.token',
      ),
    )
    .action(evaluate)
}

async function evaluate(source: string, options: EvaluateOptions): Promise<void> {
  const output = outputFor(options)
  const { evaluateModel } = await import('@fedsvd/engine/inference')
  const { readSiteRecords } = await import('@fedsvd/engine/datasets')
  await using model = await openSource(source, options)
  const task = taskOf(model, options.task)
  const records = readSiteRecords(options.data, { ...readOptionsOf(options), task })
  const evaluation = await evaluateModel({ ...model, task }, records)
  output.record({ model: model.name, ...evaluation })
  for (const line of evaluationText(model.name, evaluation)) output.line(line)
}

/** A folder does not say whether a language model was trained on texts or on answers: both can be measured. */
function taskOf({ task }: ModelInUse, asked: Task | undefined): Task {
  if (asked === undefined || asked === task) return task
  if (predictsTokens(asked) && predictsTokens(task)) return asked
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `${task} as the task of this model`,
    got: `--task ${asked}`,
    remedy: 'Leave --task out.',
  })
}
