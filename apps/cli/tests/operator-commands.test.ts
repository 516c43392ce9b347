import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type FakeClient, type TestCoordinator, testCoordinator } from '../../../packages/testing/src/server/index.ts'
import { program } from '../src/main.ts'

/** What a command of this process prints; it rejects with what the command fails with. */
async function fedsvd(...args: readonly string[]): Promise<string> {
  let printed = ''
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation((chunk) => {
      printed += String(chunk)
      return true
    }),
  )
  try {
    await (await program((name) => name === args[0])).parseAsync(['node', 'fedsvd', ...args])
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
  return printed
}
const jsonOf = async (...args: readonly string[]) => JSON.parse(await fedsvd(...args, '--json'))

let folder: string
let coordinator: TestCoordinator
let client: FakeClient
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fedsvd-operator-'))
  vi.stubEnv('FEDSVD_HOME', folder)
  coordinator = await testCoordinator()
  vi.stubEnv('FEDSVD_OPERATOR_TOKEN', coordinator.operatorToken)
  await fedsvd('profile', 'set', 'test', '--coordinator', coordinator.url)
  vi.stubEnv('FEDSVD_OPERATOR_TOKEN', '')
  client = await coordinator.client('north')
  await client.connect()
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await coordinator[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const FILE = `name: reviews
labels: [bad, good]
model: { name: tiny, maxTokens: 16 }
target: { epsilon: 8 }
adapter: { rank: 2, alpha: 2 }
expectedLotSize: 10
localSteps: 2
maxNoiseRatio: 10
`
const configured = (text = FILE): string => {
  const file = join(folder, 'run.yaml')
  writeFileSync(file, text)
  return file
}

describe('an operator on the command line', () => {
  it('opens a run from a file and options, watches it to its end, and is told how it ended', async () => {
    const config = configured()
    const printed = await fedsvd('run', 'create', '--config', config, '--rounds', '2', '--watch')
    expect(printed).toMatch(/^run [0-9a-f-]{36} is open: "reviews", 2 rounds on tiny\n/)
    expect(printed).toMatch(/completed, rounds 2\/2, highest epsilon at most \d/)
    expect(process.exitCode ?? 0).toBe(0)

    const [run] = (await fedsvd('run', 'list', '--json'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(run).toMatchObject({ name: 'reviews', state: 'completed', manifest: { clientsPerRound: 1, quorum: 1 } })
    expect(await fedsvd('run', 'list')).toMatch(new RegExp(`${run.runId} +reviews +completed +tiny +2/2`))
    expect(await fedsvd('run', 'show', run.runId.slice(0, 8))).toMatch(/state +completed\n.*\n?model +tiny\n/)
  })

  it('is told what a run would cost before it is opened, and by JSON whether it can begin', async () => {
    const config = configured()
    const text = await fedsvd('run', 'create', '--config', config, '--rounds', '2', '--dry-run')
    expect(text).toMatch(/north +ready +100 +[\d.]+ +[\d.]+ +[\d.]+ +2 of 2\n/)
    expect(text).toMatch(/The run can begin: 1 of 1 site ready/)
    const before = process.exitCode
    const priced = await jsonOf('run', 'create', '--config', config, '--clients-per-round', '3', '--dry-run')
    expect(priced).toMatchObject({ canBegin: false, quorum: 3, clients: [{ name: 'north', standing: 'ready' }] })
    expect(process.exitCode).toBe(11)
    process.exitCode = before
    expect((await coordinator.store.runs.list()).length).toBe(1)
  })

  it('pauses, extends, resumes, clones and stops runs by their names', async () => {
    await fedsvd('run', 'create', '--config', configured(), '--name', 'paused', '--clients-per-round', '2', '-q')
    expect(await jsonOf('run', 'pause', 'paused')).toMatchObject({ state: 'paused' })
    expect(await jsonOf('run', 'extend', 'paused', '--rounds', '12')).toMatchObject({ plan: { rounds: 12 } })
    await expect(fedsvd('run', 'extend', 'paused')).rejects.toThrow(/expected what is to be otherwise/)
    expect(await jsonOf('run', 'resume', 'paused')).toMatchObject({ state: 'waiting' })
    const cloned = await jsonOf('run', 'clone', 'paused', '--name', 'cloned', '--epsilon', '3')
    const { manifest } = await jsonOf('run', 'show', 'paused')
    expect(cloned).toMatchObject({ name: 'cloned', target: { epsilon: 3, delta: 1e-5 }, adapter: manifest.adapter })
    for (const name of ['paused', 'cloned'])
      expect(await jsonOf('run', 'stop', name)).toMatchObject({ state: 'stopped' })
    await fedsvd('run', 'watch', 'cloned')
    expect(process.exitCode).toBe(5)
    process.exitCode = 0
  })

  it('is told every fault of a file at once, before anybody is asked for anything', async () => {
    const asked = fedsvd('run', 'create', '--config', configured('name: a\nlabel: [x, y]\ntarget: {epsilon: six}\n'))
    await expect(asked).rejects.toThrow(
      /run\.yaml:2:1: label: no key.*did you mean labels\?.*3:10: target\.epsilon: text/,
    )
    await expect(fedsvd('run', 'create', '--name', 'a')).rejects.toThrow(/the options: target: no value/)
  })

  it('makes tokens that are written for their owner alone, or printed', async () => {
    const file = join(folder, 'token.txt')
    expect(await fedsvd('token', 'create', '--name', 'south', '--out', file)).toMatch(/^a token in .*, good until /)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(file, 'utf8')).toMatch(/^[\w-]{43}\n$/)
    await expect(fedsvd('token', 'create', '--out', file)).rejects.toThrow(/got something there already/)
    expect((await jsonOf('token', 'create', '--count', '2')).tokens).toHaveLength(2)
  })

  it('withdraws a token that nobody has used, by its name, and no other', async () => {
    await fedsvd('token', 'create', '--name', 'west', '-q')
    expect(await fedsvd('token', 'list')).toMatch(/[0-9a-f]{12} +west +open +20/)
    expect(await jsonOf('token', 'withdraw', 'west')).toMatchObject({ name: 'west', state: 'ended' })
    await expect(fedsvd('token', 'withdraw', 'west')).rejects.toThrow(/TOKEN_NOT_FOUND: .*got west/)
    const used = (await fedsvd('token', 'list', '--json'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(used.filter(({ state }) => state === 'used')).toMatchObject([{ clientId: client.clientId }])
  })

  it('sees clients, caps them, and revokes them only where it is meant', async () => {
    expect(await fedsvd('client', 'list')).toMatch(new RegExp(`${client.clientId} +north +connected`))
    const cap = ['client', 'cap', 'north', '--epsilon', '20', '--delta', '1e-5'] as const
    await expect(fedsvd(...cap)).rejects.toThrow(/got no terminal to ask at\. Nothing was done; give --yes/)
    expect((await jsonOf(...cap, '--yes')).caps).toMatchObject([{ epsilon: 20 }])
    expect(await fedsvd('client', 'show', 'north')).toMatch(/caps, the last one in force.*\b20\b.*reviews +completed/s)
    expect(await fedsvd('client', 'revoke', 'north', '--yes')).toMatch(/north is revoked since 20/)
  })

  it('sees the models that a run may name', async () => {
    expect(await fedsvd('model', 'list')).toMatch(/tiny +built in +16/)
  })

  it('says wrong command lines as usage, and helps with an example everywhere', async () => {
    for (const args of [
      ['run', 'nope'],
      ['run', 'list', '--nope'],
      ['client', 'cap', 'north'],
      ['token', 'create', '--count', '0'],
    ]) {
      await expect(fedsvd(...args)).rejects.toMatchObject({ name: 'CommanderError', exitCode: 1 })
    }
    for (const [name, group] of (await program()).commands.map((one) => [one.name(), one.commands] as const)) {
      if (!['run', 'client', 'token', 'profile'].includes(name)) continue
      for (const one of group) {
        let help = ''
        one.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
        expect(help, `${name} ${one.name()}`).toMatch(/Example:\n {2}\$ fedsvd/)
        expect(help, `${name} ${one.name()}`).toContain('--json')
      }
    }
  })
})
