import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Children } from '../../apps/cli/src/demo/children.ts'
import { createRun } from '../../apps/cli/src/operator-client.ts'
import {
  placeEmbeddedDatabase,
  temporaryFolder,
  testCoordinator,
  tinyRequest,
  until,
} from '../../packages/testing/src/server/index.ts'

const FEDSVD = fileURLToPath(new URL('../../apps/cli/bin/fedsvd.mjs', import.meta.url))
const TOKEN = 'operator-token-that-nobody-may-see'

function fedsvd(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [FEDSVD, ...args], { env: { ...process.env, ...env } }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err })
    }).stdin?.end()
  })
}

/** The command lines of all processes below this one, as `ps` shows them. */
async function commandLines(): Promise<string> {
  const lines = (await readdir('/proc'))
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''))
  return (await Promise.all(lines)).join('\n')
}

describe('a secret', { timeout: 180_000 }, () => {
  it('of a coordinator is in no line that it prints', async () => {
    await using folder = await temporaryFolder()
    await placeEmbeddedDatabase(folder.path)
    const args = ['serve', '--port', '0', '--state-dir', folder.path, '--json']
    const child = spawn(process.execPath, [FEDSVD, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    try {
      const lines: string[] = []
      createInterface({ input: child.stderr }).on('line', (line) => lines.push(line))
      const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
      lines.push(line)
      expect(JSON.parse(line)).toMatchObject({ event: 'listening' })
      for (const name of ['operator.token', 'upload.secret', 'statement.key']) {
        const secret = (await readFile(path.join(folder.path, name), 'utf8')).trim()
        expect(lines.filter((line) => line.includes(secret))).toEqual([])
      }
    } finally {
      child.kill('SIGTERM')
      await once(child, 'close')
    }
  })

  it.skipIf(process.platform !== 'linux')('of a process of the demo is in no list of processes', async () => {
    await using folder = await temporaryFolder()
    await using children = new Children()
    const log = path.join(folder.path, 'log')
    // It waits for a coordinator that is not there, as long as is looked at it.
    const data = path.join(folder.path, 'data.jsonl')
    await writeFile(data, '{"text":"a","label":"ham"}\n')
    const args = [
      'join',
      'http://127.0.0.1:9',
      '--name',
      'a',
      '--data',
      data,
      '--epsilon',
      '6',
      '--declared-records',
      '1',
    ]
    const child = children.start('a', [...args, '--state-dir', folder.path], log, { FEDSVD_ENROLMENT_TOKEN: TOKEN })
    child.ended.catch(() => {})
    await until('the process in the list', async () => (await commandLines()).includes(folder.path))
    expect(await commandLines()).not.toContain(TOKEN)
    expect((await stat(log)).mode & 0o077).toBe(0)
  })

  it('is given by a file or the environment; on the command line it still works, with a warning', async () => {
    await using coordinator = await testCoordinator({ operatorToken: TOKEN })
    await using folder = await temporaryFolder()
    const file = path.join(folder.path, 'token')
    await writeFile(file, `${TOKEN}\n`)
    const list = ['operator', 'list', '--coordinator', coordinator.url, '--json']
    expect(await fedsvd([...list, '--operator-token-file', file])).toEqual({ code: 0, out: '', err: '' })
    expect(await fedsvd(list, { FEDSVD_OPERATOR_TOKEN_FILE: file })).toEqual({ code: 0, out: '', err: '' })
    expect(await fedsvd(list, { FEDSVD_OPERATOR_TOKEN: TOKEN })).toEqual({ code: 0, out: '', err: '' })
    const deprecated = await fedsvd([...list, '--operator-token', TOKEN])
    expect(deprecated).toMatchObject({ code: 0, err: expect.stringContaining('--operator-token is deprecated') })
    expect(deprecated.err).not.toContain(TOKEN)
    expect(await fedsvd(list)).toMatchObject({ code: 7, err: expect.stringContaining('FEDSVD_OPERATOR_TOKEN') })
    expect((await fedsvd(['operator', 'list', '--help'])).out).not.toMatch(/--operator-token </)
  })

  it('that a command makes is in its JSON only where that is asked for', async () => {
    await using coordinator = await testCoordinator({ operatorToken: TOKEN })
    await using folder = await temporaryFolder()
    const env = { FEDSVD_OPERATOR_TOKEN: TOKEN }
    const create = ['operator', 'create', '--coordinator', coordinator.url, '--role', 'auditor', '--json', '--name']
    expect(await fedsvd([...create, 'a'], env)).toMatchObject({ code: 7, out: '' })
    const file = path.join(folder.path, 'secret')
    const made = await fedsvd([...create, 'a', '--secret-file', file], env)
    const secret = (await readFile(file, 'utf8')).trim()
    expect(JSON.parse(made.out)).toMatchObject({ name: 'a' })
    expect(made.out).not.toContain(secret)
    expect((await stat(file)).mode & 0o077).toBe(0)
    const shown = await fedsvd([...create, 'b', '--show-secret'], env)
    expect(JSON.parse(shown.out)).toMatchObject({ name: 'b', secret: expect.stringMatching(/^.{32}$/) })
  })
})

describe('an operator who is redirected', () => {
  it('sends the token to no other host', async () => {
    const asked: (string | undefined)[] = []
    const thief = createServer((request, response) => {
      asked.push(request.headers.authorization)
      response.setHeader('content-type', 'application/json').end('{"runId":"00000000-0000-4000-8000-000000000000"}')
    })
    const gone = createServer((request, response) => {
      const { port } = thief.address() as AddressInfo
      response.writeHead(307, { location: `http://127.0.0.1:${port}${request.url}` }).end()
    })
    for (const server of [thief, gone]) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const url = `http://127.0.0.1:${(gone.address() as AddressInfo).port}`
      await expect(createRun({ url, token: TOKEN }, tinyRequest())).rejects.toThrow(
        /a redirect to .*Nothing was sent there/,
      )
      expect(asked).toEqual([])
    } finally {
      for (const server of [thief, gone]) server.close()
    }
  })
})
