import { cp, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

/** Development tools bring another version of the library, so it is resolved as the server's own source resolves it. */
const SERVER = new URL('../../../../apps/server/package.json', import.meta.url)
const LIBRARY = '@electric-sql/pglite'

/**
 * Puts a fresh embedded database into a state folder. Making one takes seconds, so it is made once per machine and
 * version and copied from then on; it is empty, and its migrations run as ever.
 */
export async function placeEmbeddedDatabase(stateDir: string): Promise<void> {
  await cp(await template(), path.join(stateDir, 'database'), { recursive: true })
}

interface Library {
  readonly PGlite: { create(folder: string): Promise<{ close(): Promise<void> }> }
}

async function template(): Promise<string> {
  const { dependencies } = JSON.parse(await readFile(SERVER, 'utf8')) as { dependencies: Record<string, string> }
  const folder = path.join(tmpdir(), `fedsvd-test-embedded-database-${dependencies[LIBRARY]}`)
  if (await exists(folder)) return folder
  const { PGlite } = (await import(pathToFileURL(createRequire(SERVER).resolve(LIBRARY)).href)) as Library
  const draft = await mkdtemp(path.join(tmpdir(), 'fedsvd-test-draft-'))
  const database = await PGlite.create(path.join(draft, 'data'))
  await database.close()
  await rename(draft, folder).catch(() => rm(draft, { recursive: true, force: true })) // another process was faster
  return folder
}

async function exists(file: string): Promise<boolean> {
  return await stat(file).then(
    () => true,
    () => false,
  )
}
