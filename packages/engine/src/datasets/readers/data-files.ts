import { type BigIntStats, readdirSync, realpathSync, statSync } from 'node:fs'
import { extname, isAbsolute, join } from 'node:path'
import { FedsvdError, systemFault } from '@fedsvd/core/errors'
import { globSync, isDynamicPattern } from 'tinyglobby'
import { LABEL_FILES } from './label-files.ts'

/**
 * Where the records of a data set are: one path or several, each a file, a pattern such as `train-*.parquet`, or a
 * folder.
 */
export type DataPaths = string | readonly string[]

/** One file with a record in each row, or one folder of texts. */
export interface DataPart {
  readonly path: string
  readonly isFolder: boolean
}

/** What writers of sharded sets put beside the shards. */
const MARKERS = new Set(['_SUCCESS', '_metadata', '_common_metadata'])

/** The kind of a data file by its name, whether or not it is compressed; undefined for other files. */
export function dataFormat(file: string): string | undefined {
  const ending = extname(isCompressed(file) ? file.slice(0, -3) : file).toLowerCase()
  if (ending === '.ndjson') return '.jsonl'
  if (ending === '.parquet') return isCompressed(file) ? undefined : ending
  return ['.jsonl', '.csv', '.tsv'].includes(ending) ? ending : undefined
}

export function isCompressed(file: string): boolean {
  return extname(file).toLowerCase() === '.gz'
}

/**
 * The parts of a data set, in the order of the paths and, within a pattern or folder, of their names. The files of a
 * pattern or folder are of one format, and no file stands there twice, be it by another name: records would count
 * twice.
 *
 * @throws FedsvdError DATA_UNREADABLE
 */
export function dataParts(paths: DataPaths): readonly DataPart[] {
  const given = typeof paths === 'string' ? [paths] : paths
  const parts = given.flatMap(partsOf)
  const known = new Map<string, string>()
  for (const { path } of parts) {
    const identity = identityOf(path)
    const same = known.get(identity)
    if (same !== undefined)
      throw refused('every file of a data set once', same === path ? `${path} twice` : `${path}, which is ${same}`)
    known.set(identity, path)
  }
  return parts
}

function partsOf(path: string): readonly DataPart[] {
  const stats = statsOf(path)
  if (stats === undefined) return isDynamicPattern(path) ? matching(path) : missing(path)
  if (stats.isFile()) return [{ path, isFolder: false }]
  if (stats.isDirectory()) return shardsIn(path) ?? [{ path, isFolder: true }]
  throw refused(
    'a file or a folder, which can be read more than once',
    `${path}, which is a pipe, a socket or a device`,
  )
}

function matching(pattern: string): readonly DataPart[] {
  const files = globSync(pattern, { expandDirectories: false, absolute: isAbsolute(pattern) }).sort()
  if (files.length === 0) throw refused(`files that ${pattern} matches`, 'none')
  requireAlike(files)
  return files.flatMap(partsOf)
}

/** The files of a folder that holds data files; undefined for a folder of texts. */
function shardsIn(folder: string): readonly DataPart[] | undefined {
  const names = namesIn(folder)
    .filter((name) => !name.startsWith('.') && !MARKERS.has(name))
    .sort()
  const files = names.filter((name) => dataFormat(name) !== undefined)
  const isOfTexts = names.some((name) => LABEL_FILES.includes(name) || extname(name).toLowerCase() === '.txt')
  if (files.length === 0 || isOfTexts) return undefined
  const other = names.find((name) => dataFormat(name) === undefined)
  if (other !== undefined) throw refused(`data files only in ${folder}`, other)
  const paths = files.map((name) => join(folder, name))
  requireAlike(paths)
  return paths.flatMap(partsOf)
}

/** The same table in two formats, or compressed and not, would be every record twice. */
function requireAlike(files: readonly string[]): void {
  const [first = ''] = files
  const other = files.find((file) => dataFormat(file) !== dataFormat(first))
  if (other !== undefined) throw refused('files of one format together', `${first} and ${other}`)
  const twin = files.find((file) => isCompressed(file) && files.includes(file.slice(0, -3)))
  if (twin !== undefined) throw refused('every file either compressed or not', `${twin} beside ${twin.slice(0, -3)}`)
}

function identityOf(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true })
  return ino === 0n ? realpathSync(path) : `${dev}:${ino}`
}

function statsOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw notReadable(path, error as NodeJS.ErrnoException)
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    throw notReadable(folder, error as NodeJS.ErrnoException)
  }
}

function missing(path: string): never {
  throw notReadable(path, Object.assign(new Error('no such file'), { code: 'ENOENT' }))
}

/** Why a path cannot be looked at, by the code of the file system. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'nothing there (ENOENT)',
  EACCES: 'no permission (EACCES)',
  EPERM: 'no permission (EPERM)',
  ELOOP: 'symbolic links in a circle (ELOOP)',
  ENOTDIR: 'a file where a folder should be (ENOTDIR)',
  ENAMETOOLONG: 'a name that is too long (ENAMETOOLONG)',
  Z_BUF_ERROR: 'a gzip file that breaks off (Z_BUF_ERROR)',
  Z_DATA_ERROR: 'a file that is no gzip, or a damaged one (Z_DATA_ERROR)',
}

const UNZIPPED = 'Compress the file again with gzip; if it is not compressed, take .gz from its name.'

/** The refusal of a path that the system does not let read. */
export function notReadable(path: string, error: NodeJS.ErrnoException): FedsvdError {
  const code = String(error.code)
  const got = REASONS[code] ?? `${systemFault(error)?.detail.got ?? 'a fault of the system'} (${code})`
  const remedy = code.startsWith('Z_') ? UNZIPPED : 'Check the path and its permissions.'
  const detail = { expected: `a readable file ${path}`, got, remedy }
  return new FedsvdError('DATA_UNREADABLE', detail, { cause: error })
}

function refused(expected: string, got: string): FedsvdError {
  const remedy = 'Name the files that hold the records, each once: see docs/reference/data.md.'
  return new FedsvdError('DATA_UNREADABLE', { expected, got, remedy })
}
