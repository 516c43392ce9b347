import { randomBytes, randomUUID } from 'node:crypto'
import { link, open, readFile, rm } from 'node:fs/promises'

/** The secret in a file that only its owner may read; made up when the file is not there yet. Of many that try at once one wins. */
export async function secretFile(file: string): Promise<string> {
  const known = await readSecret(file)
  if (known !== undefined) return known
  const draft = `${file}.${randomUUID()}`
  const secret = randomBytes(32).toString('base64url')
  try {
    const handle = await open(draft, 'wx', 0o600)
    try {
      await handle.writeFile(`${secret}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await link(draft, file) // whole, or not at all
    return secret
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return (await readSecret(file))!
  } finally {
    await rm(draft, { force: true })
  }
}

async function readSecret(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return undefined
  }
}
