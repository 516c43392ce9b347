import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../../../test-kit/temporary-folder.ts'
import { takeLock } from './lock-file.ts'

const MODULE = fileURLToPath(new URL('./lock-file.ts', import.meta.url))

/** A process of its own that says whether it got the lock, and then holds it until it is killed. */
function holder(file: string) {
  const program = `import(${JSON.stringify(MODULE)}).then(({ takeLock }) => { takeLock(${JSON.stringify(file)}); console.log('held') }).catch((e) => console.log(e.code)); setInterval(() => {}, 1e9)`
  return spawn(process.execPath, ['--import', 'tsx', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
}
const firstLine = async (child: ReturnType<typeof holder>): Promise<string> =>
  String((await once(child.stdout, 'data'))[0]).trim()

describe('the lock of an embedded database', () => {
  it('is held by one at a time, and says by whom', async () => {
    await using folder = await temporaryFolder()
    const file = path.join(folder.path, 'lock')
    const unlock = takeLock(file)
    expect(() => takeLock(file)).toThrow(new RegExp(`DATABASE_LOCKED: .* held by process ${process.pid}`))
    unlock()
    takeLock(file)()
  })

  it.each(['4242\n', '{"pid":', ''])('does not care what an earlier process left in the file: %j', async (content) => {
    await using folder = await temporaryFolder()
    const file = path.join(folder.path, 'lock')
    await writeFile(file, content)
    const unlock = takeLock(file)
    expect(await readFile(file, 'utf8')).toBe(`${process.pid}\n`)
    unlock()
  })

  it('goes to one of many processes, and to another as soon as that one is killed', async () => {
    await using folder = await temporaryFolder()
    const file = path.join(folder.path, 'lock')
    const children = Array.from({ length: 4 }, () => holder(file))
    const answers = await Promise.all(children.map(firstLine))
    expect(answers.toSorted()).toEqual([...Array(3).fill('DATABASE_LOCKED'), 'held'])
    expect(() => takeLock(file)).toThrow('DATABASE_LOCKED')
    for (const child of children) {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    takeLock(file)()
  })
})
