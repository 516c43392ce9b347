import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isThere, readBytes, readIfThere } from './readable.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedsvd-readable-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** What stands at a path, and what is said of it. The rights of a file bind no test that runs as root. */
const CASES: readonly [what: string, make: (path: string) => Promise<unknown>, told: RegExp][] = [
  ['a folder', (path) => mkdir(path), /got a folder where a file should be\. Name the file itself\./],
  ['a pipe', (path) => promisify(execFile)('mkfifo', [path]), /got a pipe, a socket or a device\. Put the file itself/],
  ['links in a circle', (path) => symlink(path, path), /got symbolic links in a circle\. Check the links/],
]

describe('a file of a checkpoint', () => {
  it.each(CASES)(
    'where there is %s is refused by what stands there, and is not taken for absent',
    async (_, make, told) => {
      const path = join(folder, 'config.json')
      await make(path)
      for (const read of [() => readBytes(path, 'Copy it.'), () => readIfThere(path)]) {
        const error = await read().then(String, String)
        expect(error).toContain(`CHECKPOINT_INVALID: expected a readable file ${path}`)
        expect(error).toMatch(told)
      }
    },
  )

  it('that is not there is absent, or refused with what to do', async () => {
    await writeFile(join(folder, 'file'), 'text')
    for (const path of [join(folder, 'none'), join(folder, 'file', 'none')]) {
      expect(await readIfThere(path)).toBeUndefined()
      expect(await isThere(path)).toBe(false)
      await expect(readBytes(path, 'Copy it.')).rejects.toThrow('Copy it.')
    }
    expect(await isThere(join(folder, 'file'))).toBe(true)
  })

  it('of which the system does not say whether it is there is refused', async () => {
    const path = join(folder, 'loop')
    await symlink(path, path)
    await expect(isThere(join(path, 'config.json'))).rejects.toThrow(/links in a circle/)
    await expect(isThere(join(folder, 'x'.repeat(300)))).rejects.toThrow(/a name that is too long/)
  })
})
