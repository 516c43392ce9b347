import { TASKS, type Task } from '@fedsvd/core/lora'
import { type Command, Option } from 'commander'

/** How the columns of a data set are named on the command line; the same for every command that reads one. */
export interface DataOptions {
  readonly task?: Task
  readonly textColumn?: string
  readonly pairColumn?: string
  readonly labelColumn?: string
  readonly wordsColumn?: string
  readonly tagsColumn?: string
  readonly promptColumn?: string
  readonly answerColumn?: string
  readonly unitColumn?: string
  readonly encoding?: string
  readonly delimiter?: string
  readonly quoting?: 'double' | 'none'
}

/** What a data set may be, for the help texts. */
export const DATA_FORMATS = 'JSONL, CSV, TSV (or these with .gz), Parquet, or a folder of such files or of texts'

/** Adds the options that say how the data set of a site is read. */
export function withDataOptions(command: Command): Command {
  return withReadOptions(command).option(
    '--unit-column <name>',
    'column that names the person of a record: persons are then the unit of privacy',
  )
}

/** Adds the options that say how any data set is read. */
export function withReadOptions(command: Command): Command {
  const labels = command
    .addOption(new Option('--task <task>', 'what the records are for; default: by the columns named').choices(TASKS))
    .option('--label-column <name>', 'column of the label (default: "label")')
    .option('--tags-column <name>', 'column of the tags, one for each word (default: "tags")')
    .option('--answer-column <name>', 'column of the answer (default: "answer")')
  return withInputOptions(labels)
}

/** Adds the options that say how a data set without labels is read. */
export function withInputOptions(command: Command): Command {
  return command
    .option('--text-column <name>', 'column of the text (default: "text")')
    .option('--pair-column <name>', 'column of the second text, for labels of pairs')
    .option('--words-column <name>', 'column of the words, for tagged texts (default: "words")')
    .option('--prompt-column <name>', 'column of the prompt, for instructions (default: "prompt")')
    .option('--encoding <name>', 'encoding of text files, such as windows-1252 or utf-16le (default: UTF-8)')
    .option('--delimiter <character>', 'between the fields of a table (default: comma in .csv, tab in .tsv)')
    .addOption(
      new Option('--quoting <kind>', 'double: fields may stand in double quotes; none (default in .tsv)').choices([
        'double',
        'none',
      ]),
    )
}

/** The options as the reader takes them. */
export function readOptionsOf(options: DataOptions): DataOptions {
  const { task, textColumn, pairColumn, labelColumn, wordsColumn, tagsColumn, promptColumn, answerColumn } = options
  const { unitColumn, encoding, delimiter, quoting } = options
  const columns = {
    textColumn,
    pairColumn,
    labelColumn,
    wordsColumn,
    tagsColumn,
    promptColumn,
    answerColumn,
    unitColumn,
  }
  return { task, ...columns, encoding, delimiter, quoting }
}
