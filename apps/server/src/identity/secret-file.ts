import { randomBytes } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'

/** The secret in a file that only its owner may read; made up when the file is not there yet. */
export async function secretFile(file: string): Promise<string> {
  const secret = randomBytes(32).toString('base64url')
  try {
    const handle = await open(file, 'wx', 0o600)
    try {
      await handle.writeFile(`${secret}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    return secret
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return (await readFile(file, 'utf8')).trim()
  }
}
