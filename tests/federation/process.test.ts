import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { builtProgram } from '../../apps/cli/bin/programs.mjs'
import { lockDatabase } from '../../apps/server/src/storage/records/embedded/lock-database.ts'
import { get, placeEmbeddedDatabase, post, temporaryFolder } from '../../packages/testing/src/server/index.ts'

const BUILT = builtProgram('apps/server/src/main.ts')
const MAIN = BUILT
  ? [fileURLToPath(BUILT)]
  : ['--import', 'tsx', fileURLToPath(new URL('../../apps/server/src/main.ts', import.meta.url))]

/** The coordinator as its container runs it, with these settings in its environment. */
function start(environment: Record<string, string>) {
  const { DATABASE_URL: _, ...rest } = process.env
  const child = spawn(process.execPath, MAIN, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...rest, FEDSVD_PORT: '0', FEDSVD_LOG_LEVEL: 'silent', ...environment },
  })
  const closed = once(child, 'close') as Promise<[number | null]>
  const complaint = text(child.stderr)
  const line = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>
  return {
    listening: async () => (JSON.parse((await line)[0]) as { url: string }).url,
    /** The exit code and what was said on standard error. */
    ended: async () => ({ code: (await closed)[0], complaint: await complaint }),
    signal: (signal: NodeJS.Signals) => child.kill(signal),
  }
}

describe('the coordinator as a process', () => {
  it('listens, keeps others off its database and its port, and ends in order', async () => {
    await using folder = await temporaryFolder()
    await using elsewhere = await temporaryFolder()
    await placeEmbeddedDatabase(folder.path)
    await placeEmbeddedDatabase(elsewhere.path)
    const first = start({ FEDSVD_STATE_DIR: folder.path })
    const url = await first.listening()
    const operatorToken = (await readFile(path.join(folder.path, 'operator.token'), 'utf8')).trim()
    const { tokens } = await post<{ tokens: string[] }>(
      url,
      '/v1/enrolment-tokens',
      { count: 2, expiresInSeconds: 60 },
      operatorToken,
    )
    expect(new Set(tokens).size).toBe(2)

    const second = await start({ FEDSVD_STATE_DIR: folder.path }).ended()
    expect(second.code).toBe(1)
    expect(second.complaint).toMatch(/^DATABASE_LOCKED: expected [^\n]* held by process \d+\. [^\n]+\n$/)
    const third = await start({ FEDSVD_STATE_DIR: elsewhere.path, FEDSVD_PORT: new URL(url).port }).ended()
    expect(third.code).toBe(1)
    expect(third.complaint).toMatch(/^PORT_IN_USE: expected 127\.0\.0\.1:\d+ to be free, got [^\n]+\n$/)

    expect(await get(url, '/readyz')).toEqual({ status: 'ready' })
    first.signal('SIGTERM')
    expect((await first.ended()).code).toBe(0)
    expect(await readdir(path.join(folder.path, 'database'))).toEqual(['data', 'lock', 'made'])
    lockDatabase(path.join(folder.path, 'database', 'lock'))[Symbol.dispose]() // the file stays, the lock is free
    expect(await readdir(path.join(elsewhere.path, 'database'))).toEqual(['data']) // nothing was made or opened there
  })

  it('names every setting at fault on one line', async () => {
    const { code, complaint } = await start({ FEDSVD_PORT: 'ninety', FEDSVD_LOG_LEVEL: 'loud' }).ended()
    expect(code).toBe(1)
    expect(complaint).toMatch(/^CONFIG_INVALID: expected valid settings for FEDSVD_PORT, FEDSVD_LOG_LEVEL, [^\n]+\n$/)
    expect(complaint).toMatch(/Correct FEDSVD_PORT, FEDSVD_LOG_LEVEL\.\n$/)
  })
})
