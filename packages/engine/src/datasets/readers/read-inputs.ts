import type { Task } from '@fedsvd/core/lora'
import type { ColumnNames } from './columns.ts'
import type { DataPaths } from './data-files.ts'
import { readRows } from './read-records.ts'
import { type ReadOptions, type Row, rowReader, wordsIn } from './row.ts'

/** What a model is asked about: a text, two of them, or the words of one. */
export interface ModelInput {
  readonly text: string
  readonly pair?: string
  /** Where the data set has them apart. */
  readonly words?: readonly string[]
}

/**
 * Streams what a data set holds for a model of a task, in the order of its rows, without labels: these may be there or
 * not. Files are read as those of a site.
 *
 * @throws FedsvdError DATA_UNREADABLE, naming file and line or row; CONFIG_INVALID for columns of another task
 */
export async function* readInputs(paths: DataPaths, options: ReadOptions, task: Task): AsyncGenerator<ModelInput> {
  const reading = { ...options, ...unlabelled(options, task) }
  const toInput = inputReader(reading, task)
  for await (const row of readRows(paths, reading)) yield toInput(row)
}

/** The columns of a task's inputs, as those of the task that has just such columns. */
function unlabelled(names: ColumnNames, task: Task): ReadOptions {
  const { textColumn, pairColumn, wordsColumn = 'words', promptColumn = 'prompt' } = names
  const none = { labelColumn: undefined, tagsColumn: undefined, wordsColumn: undefined, pairColumn: undefined }
  const one = (column?: string): ReadOptions => {
    return { ...none, task: 'causal-lm', promptColumn: undefined, answerColumn: undefined, textColumn: column }
  }
  switch (task) {
    case 'sequence-classification':
      if (pairColumn === undefined) return one(textColumn)
      return {
        ...none,
        task: 'instruction-tuning',
        textColumn: undefined,
        promptColumn: textColumn ?? 'text',
        answerColumn: pairColumn,
      }
    case 'token-classification':
      return one(wordsColumn)
    case 'causal-lm':
      return one(textColumn)
    case 'instruction-tuning':
      return one(promptColumn)
  }
}

function inputReader(options: ReadOptions, task: Task): (row: Row) => ModelInput {
  const { textColumn = 'text' } = options
  const toRecord = rowReader(options)
  return (row) => {
    const { value, place, fault } = row
    if (task === 'token-classification' && fault === undefined && typeof value === 'object' && value !== null) {
      const words = wordsIn(value as Readonly<Record<string, unknown>>, textColumn, place)
      return { text: words.join(' '), words }
    }
    const record = toRecord(row)
    if ('prompt' in record) return { text: record.prompt, pair: record.answer }
    return { text: 'text' in record ? record.text : '' }
  }
}
