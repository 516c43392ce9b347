import { randomBytes, randomUUID } from 'node:crypto'
import { link, open, readFile, rm } from 'node:fs/promises'
import { checkSecret, type SecretLength } from '../secrets.ts'

/**
 * The secret in a file that only its owner may read; made up when the file is not there yet. Of many that try at once
 * one wins. A file that is there and holds no secret, as a full disk or a lost power supply leaves one behind, is
 * refused: an empty key is one that everybody has.
 *
 * @throws FedsvdError CONFIG_INVALID
 */
export async function secretFile(file: string, length: SecretLength): Promise<string> {
  const known = await readSecret(file, length)
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
    return (await readSecret(file, length))!
  } finally {
    await rm(draft, { force: true })
  }
}

async function readSecret(file: string, length: SecretLength): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    return undefined
  })
  return text === undefined ? undefined : checkSecret(text.trim(), length, file)
}
