import { spawnSync } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../../../test-kit/temporary-folder.ts'
import { takeLock } from './lock-file.ts'
import { isAlive, processIdentity } from './process-identity.ts'

/** The number of a process that has just ended. */
function deadPid(): number {
  const { pid } = spawnSync(process.execPath, ['--version'])
  expect(isAlive(pid)).toBe(false)
  return pid
}

describe('the lock of an embedded database', () => {
  it('is held by one at a time, and says by whom', async () => {
    await using folder = await temporaryFolder()
    const file = path.join(folder.path, 'lock')
    const unlock = await takeLock(file)
    await expect(takeLock(file)).rejects.toThrow(new RegExp(`DATABASE_LOCKED: .* held by process ${process.pid}`))
    expect(await readdir(folder.path)).toEqual(['lock'])
    await unlock()
    await (await takeLock(file))()
    expect(await readdir(folder.path)).toEqual([])
  })

  it.each<[string, () => string]>([
    ['a process that has died', () => JSON.stringify({ pid: deadPid(), identity: '' })],
    [
      'an earlier process with the number of a living one',
      () => JSON.stringify({ pid: process.pid, identity: 'before the boot:1' }),
    ],
    ['nobody: half a file', () => '{"pid":'],
  ])('is taken over from %s', async (_, content) => {
    await using folder = await temporaryFolder()
    const file = path.join(folder.path, 'lock')
    await writeFile(file, content())
    const unlock = await takeLock(file)
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      pid: process.pid,
      identity: processIdentity(process.pid),
    })
    expect(await readdir(folder.path)).toEqual(['lock'])
    await unlock()
  })

  it('goes to one of many that find a stale one', async () => {
    await using folder = await temporaryFolder()
    const file = path.join(folder.path, 'lock')
    await writeFile(file, JSON.stringify({ pid: deadPid(), identity: '' }))
    const takers = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(file)))
    expect(takers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })
})
