import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import type { RunRequest } from '@fedsvd/core/protocol'
import { chosen, seededSource } from '@fedsvd/core/random'
import {
  columnsOfTask,
  type DataPaths,
  dataEmpty,
  type EncodedRecord,
  fingerprintRecords,
  LeftOutCount,
  type ReadOptions,
  readableRecords,
  type SiteRecord,
  taskEncoder,
} from '@fedsvd/engine/datasets'
import type { Tokenizer } from '@fedsvd/engine/tokenizers'

/** A record of a simulation, as the files have it and as the model takes it. */
export interface SimulatedRecord {
  readonly encoded: EncodedRecord
  /** The label of a whole text. */
  readonly label?: string | undefined
  /** The value of the column that the sites are made by. */
  readonly group?: string | undefined
  /** The person that it belongs to. */
  readonly unit?: string | undefined
}

/** The texts of a data set, read once. */
export interface TextSet {
  readonly records: readonly SiteRecord[]
  /** Values of the column that the sites are made by, one for each record. */
  readonly groups?: readonly (string | undefined)[]
  /** Names the content: another fingerprint, another experiment. */
  readonly fingerprint: string
  /** Rows that are no records. */
  readonly leftOut: number
}

/**
 * Reads a data set for a task.
 *
 * @param groupColumn column whose values the sites are made by
 * @throws FedsvdError DATA_UNREADABLE, DATA_EMPTY, CONFIG_INVALID
 */
export async function readTexts(paths: DataPaths, reading: ReadOptions, groupColumn?: string): Promise<TextSet> {
  const leftOut = new LeftOutCount()
  const records = await all(readableRecords(paths, reading, (fault) => leftOut.add(fault)))
  if (records.length === 0) throw dataEmpty(paths)
  const fingerprint = fingerprintRecords(records)
  const set = { records, fingerprint, leftOut: leftOut.count }
  if (groupColumn === undefined) return set
  // The reader knows one column beside those of the task, so the file is read once more where that is the person's.
  const grouped =
    reading.unitColumn === groupColumn
      ? records
      : await all(readableRecords(paths, { ...reading, unitColumn: groupColumn }, () => {}))
  return { ...set, groups: grouped.map(({ unit }) => unit) }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

/** How the files are read for a task. */
export function readingFor(task: RunRequest['task'], reading: ReadOptions): ReadOptions {
  return task === undefined ? reading : { ...columnsOfTask(reading, task), task }
}

/** What a run's model can take of a data set, and what it leaves out. */
export interface EncodedSet {
  readonly records: readonly SimulatedRecord[]
  readonly leftOut: number
  readonly firstFault?: FedsvdError | undefined
}

/** Tokenises a data set once, for all sites; records that the run cannot take are left out, as at a live site. */
export async function encodeTexts(
  { records, groups }: TextSet,
  { task, labels, model }: Pick<RunRequest, 'task' | 'labels' | 'model'>,
  tokenizer: Tokenizer,
): Promise<EncodedSet> {
  const encode = taskEncoder(tokenizer, { task, labels, maxTokens: model.maxTokens })
  const found: SimulatedRecord[] = []
  let firstFault: FedsvdError | undefined
  for (const [index, record] of records.entries()) {
    try {
      const encoded = await encode(record, `in record ${index + 1}`)
      const label = 'label' in record ? record.label : undefined
      if (encoded.tokenIds.length > 0) found.push({ encoded, label, group: groups?.[index], unit: record.unit })
    } catch (error) {
      if (!isFedsvdError(error)) throw error
      firstFault ??= error
    }
  }
  return { records: found, leftOut: records.length - found.length, firstFault }
}

/**
 * Sets a share of the records aside to measure on: others under each seed, and the same for every setting under it.
 *
 * @param share between 0 and 1
 * @throws FedsvdError CONFIG_INVALID where that leaves nothing on either side
 */
export function splitHoldOut<T>(
  records: readonly T[],
  { share, seed }: { readonly share: number; readonly seed: string },
): { readonly training: readonly T[]; readonly holdOut: readonly T[] } {
  const count = Math.round(share * records.length)
  if (count < 1 || count >= records.length) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: 'a share that leaves a record to measure on, and one to train on',
      got: `${share} of ${records.length} records`,
      remedy: 'Correct --hold-out-share, or name a file with --hold-out.',
    })
  }
  const positions = records.map((_, position) => position)
  const aside = new Set(chosen(seededSource(seed, 'hold-out'), positions, count))
  return {
    training: records.filter((_, position) => !aside.has(position)),
    holdOut: records.filter((_, position) => aside.has(position)),
  }
}
