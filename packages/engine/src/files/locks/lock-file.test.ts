import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { FedsvdError } from '@fedsvd/core/errors'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockData, lockFile } from './lock-file.ts'

const MODULE = fileURLToPath(new URL('./lock-file.ts', import.meta.url))

/** A process of its own that says whether it got the lock, and then holds it until it is killed. */
function holder(file: string) {
  const program = `import(${JSON.stringify(MODULE)}).then(({ lockFile }) => { lockFile(${JSON.stringify(file)}, (holder) => new Error('refused')); console.log('held') }).catch((e) => console.log(e.message)); setInterval(() => {}, 1e9)`
  return spawn(process.execPath, ['--import', 'tsx', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
}
const firstLine = async (child: ReturnType<typeof holder>): Promise<string> =>
  String((await once(child.stdout, 'data'))[0]).trim()

const refusal = (holder: string) =>
  new FedsvdError('LEDGER_LOCKED', { expected: 'a free lock', got: holder, remedy: 'Wait.' })

describe('a lock file', () => {
  let file: string
  beforeEach(() => {
    file = path.join(mkdtempSync(path.join(tmpdir(), 'fedsvd-lock-')), 'lock')
  })
  afterEach(() => rmSync(path.dirname(file), { recursive: true }))

  it('is held by one at a time, and says by whom', () => {
    const lock = lockFile(file, refusal)
    expect(() => lockFile(file, refusal)).toThrow(`got process ${process.pid}`)
    lock[Symbol.dispose]()
    lockFile(file, refusal)[Symbol.dispose]()
  })

  it.each(['4242\n', '{"pid":', ''])('does not care what an earlier process left in the file: %j', async (content) => {
    await writeFile(file, content)
    const lock = lockFile(file, refusal)
    expect(await readFile(file, 'utf8')).toBe(`${process.pid}\n`)
    lock[Symbol.dispose]()
  })

  it('of data is held where the lock file was removed, and leaves the data as they are', async () => {
    const data = `${file}.data`
    await writeFile(data, 'content')
    const locks = [lockFile(file, refusal), lockData(data, refusal)]
    await rm(file)
    const another = lockFile(file, refusal) // nothing else is possible: it is another file now
    expect(() => lockData(data, refusal)).toThrow('LEDGER_LOCKED')
    for (const lock of [...locks, another]) lock[Symbol.dispose]()
    lockData(data, refusal)[Symbol.dispose]()
    expect(await readFile(data, 'utf8')).toBe('content')
  })

  it('goes to one of many processes, and to another as soon as that one is killed', async () => {
    const children = Array.from({ length: 4 }, () => holder(file))
    const answers = await Promise.all(children.map(firstLine))
    expect(answers.toSorted()).toEqual(['held', 'refused', 'refused', 'refused'])
    expect(() => lockFile(file, refusal)).toThrow('got process')
    for (const child of children) {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    lockFile(file, refusal)[Symbol.dispose]()
  })
})
