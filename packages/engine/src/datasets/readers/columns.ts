import { FedsvdError } from '@fedsvd/core/errors'
import { DEFAULT_TASK, type Task } from '@fedsvd/core/lora'

/** What the columns of a table, or the members of a JSON object, are called. */
export interface ColumnNames {
  /** Default "text". */
  readonly textColumn?: string | undefined
  /** The second text of a pair; there is none unless it is named. */
  readonly pairColumn?: string | undefined
  /** Default "label". */
  readonly labelColumn?: string | undefined
  /** Default "words". */
  readonly wordsColumn?: string | undefined
  /** Default "tags". */
  readonly tagsColumn?: string | undefined
  /** Default "prompt". */
  readonly promptColumn?: string | undefined
  /** Default "answer". */
  readonly answerColumn?: string | undefined
  /** Default "source"; a file need not have it. */
  readonly sourceColumn?: string | undefined
  /**
   * Names the person that a record belongs to, where persons are the unit of privacy; there is none unless it is named.
   */
  readonly unitColumn?: string | undefined
}

/** The settings by which each task may be recognised, and which make no sense for any other. */
const COLUMNS_OF = {
  'sequence-classification': ['textColumn', 'pairColumn', 'labelColumn'],
  'token-classification': ['wordsColumn', 'tagsColumn'],
  'causal-lm': ['textColumn'],
  'instruction-tuning': ['promptColumn', 'answerColumn'],
} as const satisfies Record<Task, readonly (keyof ColumnNames)[]>

/**
 * The task that records are read for: the one that is named, else the one whose columns are named, else sequence
 * classification.
 *
 * @throws FedsvdError CONFIG_INVALID when a column is named that this task does not have
 */
export function taskOfColumns(names: ColumnNames, task?: Task): Task {
  const named = (candidate: Task): boolean => COLUMNS_OF[candidate].some((column) => names[column] !== undefined)
  const byColumns: readonly Task[] = ['token-classification', 'instruction-tuning']
  const chosen = task ?? byColumns.find(named) ?? DEFAULT_TASK
  const own: readonly string[] = COLUMNS_OF[chosen]
  const foreign = Object.values(COLUMNS_OF)
    .flat()
    .find((column) => names[column] !== undefined && !own.includes(column))
  if (foreign === undefined) return chosen
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `columns for ${chosen}: ${own.map(optionOf).join(', ')}`,
    got: optionOf(foreign),
    remedy: 'Name the columns of one task only.',
  })
}

/** What people call a column where they name it: `labelColumn` is `--label-column`. */
const optionOf = (column: string): string => `--${column.replace('Column', '-column')}`

/** What is named of a task's own columns, where columns of other tasks are named as well. */
export function columnsOfTask<Names extends ColumnNames>(names: Names, task: Task): Names {
  const own: readonly string[] = COLUMNS_OF[task]
  const foreign = Object.values(COLUMNS_OF)
    .flat()
    .filter((column) => !own.includes(column))
  return { ...names, ...Object.fromEntries(foreign.map((column) => [column, undefined])) }
}

/** The columns without which no record of a task can be read, by the names that they have in the file. */
export function requiredColumns(names: ColumnNames, task: Task): readonly string[] {
  switch (task) {
    case 'sequence-classification': {
      const { textColumn = 'text', pairColumn, labelColumn = 'label' } = names
      return pairColumn === undefined ? [textColumn, labelColumn] : [textColumn, pairColumn, labelColumn]
    }
    case 'token-classification':
      return [names.wordsColumn ?? 'words', names.tagsColumn ?? 'tags']
    case 'causal-lm':
      return [names.textColumn ?? 'text']
    case 'instruction-tuning':
      return [names.promptColumn ?? 'prompt', names.answerColumn ?? 'answer']
  }
}

/** The columns that a table has to have: those of the records, and that of the unit where one is named. */
export function tableColumns(names: ColumnNames, task: Task): readonly string[] {
  const { unitColumn } = names
  return [...requiredColumns(names, task), ...(unitColumn === undefined ? [] : [unitColumn])]
}

/** All columns that are looked at: those that a table has to have, and the source where a file has it. */
export function readColumns(names: ColumnNames, task: Task): readonly string[] {
  return [...tableColumns(names, task), names.sourceColumn ?? 'source']
}
