import { TASKS, type Task } from '@fedsvd/core/adapters'
import { isFedsvdError } from '@fedsvd/core/errors'
import type { SiteRecord } from '@fedsvd/engine/data'

/** The records of the coordinator's public file, as a task reads them. */
export interface PublicRecords {
  /** @throws FedsvdError DATA_UNREADABLE for a task that the file has no columns for */
  forTask(task: Task): Promise<readonly SiteRecord[]>
}

/**
 * Reads the whole file for the first task whose columns its first row has, so that a bad row shows at once.
 *
 * @throws FedsvdError DATA_UNREADABLE or DATA_EMPTY
 */
export async function readPublicRecords(file: string): Promise<PublicRecords> {
  const { dataEmpty, readSiteRecords } = await import('@fedsvd/engine/data')
  const known = new Map<Task, Promise<readonly SiteRecord[]>>()
  const forTask = (task: Task): Promise<readonly SiteRecord[]> => {
    const found = known.get(task) ?? read(task)
    known.set(task, found)
    return found
  }
  const read = async (task: Task): Promise<readonly SiteRecord[]> => {
    const records: SiteRecord[] = []
    for await (const record of readSiteRecords(file, { task })) records.push(record)
    if (records.length === 0) throw dataEmpty(file)
    return records
  }
  const fits = async (task: Task): Promise<boolean> => {
    try {
      await readSiteRecords(file, { task }).next()
      return true
    } catch (error) {
      if (isFedsvdError(error, 'DATA_UNREADABLE')) return false
      throw error
    }
  }
  let first: Task = TASKS[0]
  // a file with texts and labels would do for texts alone: the order of the tasks decides
  for (const task of ['sequence-classification', 'token-classification', 'instruction-tuning', 'causal-lm'] as const) {
    if (!(await fits(task))) continue
    first = task
    break
  }
  await forTask(first)
  return { forTask }
}
