import { isFedsvdError } from '@fedsvd/core/errors'
import { TASKS, type Task } from '@fedsvd/core/lora'
import type { DataPaths, ReadOptions, SiteRecord } from '@fedsvd/engine/datasets'

/** The records of the coordinator's public files, as a task reads them. */
export interface PublicRecords {
  /** @throws FedsvdError DATA_UNREADABLE for a task that the files have no columns for */
  forTask(task: Task): Promise<readonly SiteRecord[]>
}

/**
 * Reads all of the files for the task that is named, else the first whose columns their first row has, so that a bad
 * row shows at once. They are read as a site's data are, with the same options.
 *
 * @throws FedsvdError DATA_UNREADABLE or DATA_EMPTY
 */
export async function readPublicRecords(paths: DataPaths, reading: ReadOptions = {}): Promise<PublicRecords> {
  const { columnsOfTask, dataEmpty, readSiteRecords } = await import('@fedsvd/engine/datasets')
  const optionsFor = (task: Task): ReadOptions => ({ ...columnsOfTask(reading, task), task })
  const known = new Map<Task, Promise<readonly SiteRecord[]>>()
  const forTask = (task: Task): Promise<readonly SiteRecord[]> => {
    const found = known.get(task) ?? read(task)
    known.set(task, found)
    return found
  }
  const read = async (task: Task): Promise<readonly SiteRecord[]> => {
    const records: SiteRecord[] = []
    for await (const record of readSiteRecords(paths, optionsFor(task))) records.push(record)
    if (records.length === 0) throw dataEmpty(paths)
    return records
  }
  const fits = async (task: Task): Promise<boolean> => {
    try {
      await readSiteRecords(paths, optionsFor(task)).next()
      return true
    } catch (error) {
      if (isFedsvdError(error, 'DATA_UNREADABLE')) return false
      throw error
    }
  }
  let first: Task = reading.task ?? TASKS[0]
  // a file with texts and labels would do for texts alone: the order of the tasks decides
  for (const task of ['sequence-classification', 'token-classification', 'instruction-tuning', 'causal-lm'] as const) {
    if (reading.task !== undefined || !(await fits(task))) continue
    first = task
    break
  }
  await forTask(first)
  return { forTask }
}
