import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import type pg from 'pg'

/** What every database of PGlite has, and what it cannot be read without. */
const ESSENTIAL = ['PG_VERSION', 'base/1', 'global/pg_control', 'pg_wal', 'pg_xact', 'pg_multixact'] as const

/** Says whether a database was ever finished in the folder beside it. */
const MARKER = 'made'
const UNFINISHED = 'unfinished\n'
const WHOLE = 'whole\n'

/**
 * Looks at the folder of an embedded database before it is opened. PGlite makes an empty database wherever it misses
 * `PG_VERSION`, over whatever lies there; so only a folder in which there never was one may be given to it without one.
 * A making that was cut short by a crash is begun anew.
 *
 * @returns the folder to open, and whether there was no database in it
 * @throws FedsvdError DATABASE_DAMAGED naming what is missing
 */
export async function prepareDatabaseFolder(
  folder: string,
): Promise<{ readonly data: string; readonly isNew: boolean }> {
  const data = path.join(folder, 'data')
  const marker = path.join(folder, MARKER)
  const made = await readFile(marker, 'utf8').catch(absent)
  const kind = await stat(data).then((found) => (found.isDirectory() ? 'folder' : 'file'), absent)
  if (kind === 'file') throw damaged(`${data}, which is no folder`)
  if (made === UNFINISHED) await rm(data, { recursive: true, force: true })
  const isEmpty = kind === undefined || made === UNFINISHED || (await readdir(data)).length === 0
  if (isEmpty && made === WHOLE) throw damaged(`none in ${data}, where there was one`)
  if (isEmpty) {
    await writeDurably(marker, UNFINISHED)
    return { data, isNew: true }
  }
  const missing = []
  for (const name of ESSENTIAL) if (!(await isThere(path.join(data, name)))) missing.push(name)
  if (missing.length > 0) throw damaged(`${data} without ${missing.join(', ')}`)
  return { data, isNew: false }
}

/** The database in the folder has been opened and its schema is up to date. */
export async function databaseIsWhole(folder: string): Promise<void> {
  const marker = path.join(folder, MARKER)
  if ((await readFile(marker, 'utf8').catch(absent)) !== WHOLE) await writeDurably(marker, WHOLE)
}

/**
 * Holds the files of the tables and indexes against the catalogue: of a folder that was copied by half some are missing
 * or cut off, and PostgreSQL reads an empty file as an empty table.
 *
 * @throws FedsvdError DATABASE_DAMAGED
 */
export async function checkTableFiles(data: string, client: Pick<pg.Client, 'query'>): Promise<void> {
  const { rows } = await client.query<{ name: string; file: string; pages: number }>(
    `SELECT relname AS name, pg_relation_filepath(oid) AS file, relpages AS pages
     FROM pg_class WHERE relkind IN ('r', 'i', 'S', 't') AND pg_relation_filepath(oid) IS NOT NULL`,
  )
  for (const { name, file, pages } of rows) {
    const size = await stat(path.join(data, file)).then(({ size }) => size, absent)
    if (size === undefined) throw damaged(`${data} without ${file}, which holds "${name}"`)
    if (size === 0 && pages > 0) throw damaged(`${data} with an empty ${file}, which holds "${name}"`)
  }
}

async function writeDurably(file: string, text: string): Promise<void> {
  const draft = `${file}.draft`
  const handle = await open(draft, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, file)
}

/** An empty file or folder is none: nothing of what is asked for here is ever empty. */
async function isThere(file: string): Promise<boolean> {
  const found = await stat(file).catch(absent)
  if (found === undefined) return false
  return found.isDirectory() ? (await readdir(file)).length > 0 : found.size > 0
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  if (error.code === 'ENOTDIR') throw damaged(`a file where a folder has to be: ${error.path}`)
  throw error
}

function damaged(got: string): FedsvdError {
  return new FedsvdError('DATABASE_DAMAGED', {
    expected: 'the embedded database as the coordinator left it',
    got,
    remedy:
      'Nothing was changed. Restore the whole folder from a backup, or name the state folder that was meant; to begin with an empty database, choose a new one.',
  })
}
