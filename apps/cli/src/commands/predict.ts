import { Command, InvalidArgumentError } from 'commander'
import { type DataOptions, withInputOptions } from '../data-options.ts'
import { lineOf } from '../model-in-use/answer-text.ts'
import { inBatches } from '../model-in-use/in-batches.ts'
import { inputsFrom, STANDARD_INPUT } from '../model-in-use/inputs.ts'
import { openSource, type SourceOptions, withModelSource } from '../model-in-use/source.ts'
import { example, positiveInteger } from '../options.ts'
import { outputFor } from '../output.ts'

interface PredictOptions extends SourceOptions, DataOptions {
  readonly maxNewTokens: number
  readonly json?: boolean
}

/** Texts that are computed together: those of a file; what is typed is answered line by line. */
const AT_ONCE = 32

/** As long as a model has places for. */
const MOST_NEW_TOKENS = 4096

/** `fedsvd predict`: what a model says of texts. */
export function predictCommand(): Command {
  const command = withModelSource(new Command('predict')).argument(
    '[file]',
    'data set as of fedsvd join, labels not needed; -: a text on each line of standard input',
    STANDARD_INPUT,
  )
  return withInputOptions(command)
    .option('--max-new-tokens <n>', 'most that a language model writes behind a text', newTokens, 64)
    .option('--json', 'print one JSON object for each text')
    .addHelpText(
      'after',
      example(
        'echo "You have won a prize" | fedsvd predict adapter',
        'fedsvd predict merged notes.csv --text-column body --json',
        'fedsvd predict 3f2504e0-4f89-41d3-9a0c-0305e82c3301 notes.jsonl --coordinator http://127.0.0.1:7373 --operator-token-file operator.token',
      ),
    )
    .action(predict)
}

async function predict(source: string, file: string, options: PredictOptions): Promise<void> {
  const output = outputFor(options)
  const { answersOf } = await import('@fedsvd/engine/inference')
  await using model = await openSource(source, options)
  let index = 0
  for await (const batch of inBatches(inputsFrom(file, options, model.task), AT_ONCE)) {
    for (const [at, answer] of (await answersOf(model, batch, options)).entries()) {
      index += 1
      output.record({ index, ...answer })
      output.line(lineOf(answer, batch[at]!.text))
    }
  }
}

function newTokens(text: string): number {
  const value = positiveInteger(text)
  if (value <= MOST_NEW_TOKENS) return value
  throw new InvalidArgumentError(`Expected at most ${MOST_NEW_TOKENS}: more than a text of a model can have.`)
}
