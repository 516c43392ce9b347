import { FedsvdError } from '@fedsvd/core/errors'
import type { Task } from '@fedsvd/core/lora'
import type { ModelInput } from '@fedsvd/engine/datasets'
import { type DataOptions, readOptionsOf } from '../data-options.ts'

/** Standard input, as commands name it. */
export const STANDARD_INPUT = '-'

/**
 * The texts of a data set, or the lines of standard input, each of them one text; blank lines are passed over.
 *
 * @throws FedsvdError DATA_UNREADABLE, also for lines in another encoding than is said; CONFIG_INVALID
 */
export async function* inputsFrom(
  file: string,
  options: DataOptions,
  task: Task,
  stdin: AsyncIterable<Uint8Array> = process.stdin,
): AsyncGenerator<ModelInput> {
  const { columnsOfTask, decoderFor, readInputs } = await import('@fedsvd/engine/datasets')
  if (file !== STANDARD_INPUT) {
    yield* readInputs(file, columnsOfTask(readOptionsOf(options), task), task)
    return
  }
  for await (const line of linesOf(stdin, decoderFor(options.encoding ?? 'utf-8'))) {
    if (line.trim() !== '') yield { text: line }
  }
}

async function* linesOf(
  bytes: AsyncIterable<Uint8Array>,
  decoder: InstanceType<typeof TextDecoder>,
): AsyncGenerator<string> {
  let [rest, count]: [string[], number] = [[], 0]
  const decoded = (chunk?: Uint8Array): string => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined })
    } catch (cause) {
      throw notText(count + 1, decoder.encoding, cause)
    }
  }
  for await (const chunk of bytes) {
    const [first = '', ...more] = decoded(chunk).split('\n')
    rest.push(first)
    for (const next of more) {
      count += 1
      yield withoutReturn(rest.join(''))
      rest = [next]
    }
  }
  yield withoutReturn(rest.join('') + decoded())
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}

function notText(line: number, encoding: string, cause: unknown): FedsvdError {
  return new FedsvdError(
    'DATA_UNREADABLE',
    {
      expected: `${encoding} text on standard input`,
      got: `other bytes from line ${line} on`,
      remedy: 'Say in which encoding it is with --encoding.',
    },
    { cause },
  )
}
