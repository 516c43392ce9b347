import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Linux has a file system in memory, where making a ledger durable costs nothing. */
const IN_MEMORY = '/dev/shm'

/** A folder for the ledgers of one cell, removed with all that it holds. */
export async function throwAwayFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(IN_MEMORY, 'fedsvd-simulation-')).catch(async () => {
    return await mkdtemp(join(tmpdir(), 'fedsvd-simulation-'))
  })
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }) }
}
