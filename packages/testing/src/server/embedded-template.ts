import { cp, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { PGlite } from '@electric-sql/pglite'

/**
 * Puts a fresh embedded database into a state folder. Making one takes seconds, so it is made once per machine and
 * version and copied from then on; it is empty, and its migrations run as ever.
 */
export async function placeEmbeddedDatabase(stateDir: string): Promise<void> {
  await cp(await template(), path.join(stateDir, 'database'), { recursive: true })
}

async function template(): Promise<string> {
  const manifest = await readFile(new URL('../../../../apps/server/package.json', import.meta.url), 'utf8')
  const { dependencies } = JSON.parse(manifest) as { dependencies: Record<string, string> }
  const folder = path.join(tmpdir(), `fedsvd-test-database-${dependencies['@electric-sql/pglite']}`)
  if (await exists(folder)) return folder
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
