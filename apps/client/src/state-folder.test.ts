import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { CoordinatorDouble } from '@fedsvd/testing/client/coordinator-double'
import { fixture } from '@fedsvd/testing/client/fixtures'
import { loopbackTransport } from '@fedsvd/testing/client/loopback-transport'
import { startSite } from '@fedsvd/testing/client/running-site'
import { type TemporaryFolder, temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { showLedger } from './ledger/index.ts'
import { defaultStateDir, earlierStateDirs, takeOver } from './state-folder.ts'

let folder: TemporaryFolder
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => folder[Symbol.dispose]())
/** A folder with the state of the release before in it, by its default name. */
function workedIn(...path: readonly string[]): string {
  const state = join(folder.path, ...path, '.fedsvd', 'client')
  cpSync(fixture('ledgers-by-data-set', 'state'), state, { recursive: true })
  return state
}

describe('the default state folder', () => {
  it('is one for each user, and not for each working directory', () => {
    expect(defaultStateDir({}, '/home/ann')).toBe('/home/ann/.local/state/fedsvd/client')
    expect(defaultStateDir({ XDG_STATE_HOME: '/var/state' }, '/home/ann')).toBe('/var/state/fedsvd/client')
    expect(defaultStateDir({ FEDSVD_HOME: '/srv/site', XDG_STATE_HOME: '/x' }, '/home/ann')).toBe('/srv/site/client')
  })
})

describe('state folders of the release before', () => {
  it('are found in the working directory, beside the data, and above both, the nearest first', () => {
    const [above, here, data] = [workedIn(), workedIn('a', 'b'), workedIn('c')]
    const working = join(folder.path, 'a', 'b')
    expect(earlierStateDirs(join(folder.path, 'home'), '../../c/rows.csv', working)).toEqual([here, above, data])
    expect(earlierStateDirs(here, '../../c/rows.csv', working)).toEqual([above, data])
  })

  it('give their key, enrolments and what is not delivered yet to a folder without a key, once', () => {
    const earlier = workedIn()
    const home = join(folder.path, 'home')
    mkdirSync(home)
    takeOver(home, [earlier])
    const key = readFileSync(join(home, 'client-key.pem'), 'utf8')
    expect(key).toBe(readFileSync(join(earlier, 'client-key.pem'), 'utf8'))
    expect(statSync(join(home, 'client-key.pem')).mode & 0o077).toBe(0)
    expect(readdirSync(home).sort()).toEqual(['checkpoints', 'client-key.pem', 'enrolments', 'outbox'])
    takeOver(home, [workedIn('other')])
    expect(readFileSync(join(home, 'client-key.pem'), 'utf8')).toBe(key)
  })
})

describe('a client that is started without a state folder', () => {
  let double: CoordinatorDouble
  const start = (settings: object = {}) => {
    const data = join(folder.path, 'data')
    mkdirSync(data, { recursive: true })
    return startSite({
      folder: data,
      transport: loopbackTransport(double),
      budget: { epsilon: 100, delta: 1e-5 },
      ...settings,
    })
  }
  const budgets = (state: string) => showLedger(state).filter(({ isMoved }) => !isMoved)
  beforeEach(() => {
    vi.stubEnv('FEDSVD_HOME', join(folder.path, 'home'))
    double = new CoordinatorDouble()
    // The coordinator of the test is a new one, and knows no client of before.
    rmSync(join(workedIn(), 'enrolments'), { recursive: true })
  })
  afterEach(() => vi.unstubAllEnvs())

  it('has the budget of this machine: what ledgers of the release before spent beside the data counts', async () => {
    await (await start({ stateDir: undefined }))[Symbol.asyncDispose]()
    const [site, ...others] = budgets(defaultStateDir())
    expect(others).toEqual([])
    expect(site).toMatchObject({ name: 'site', steps: 13, budget: { epsilon: 4 } })
  })

  it('has none of their spending in a folder that was named, but for that of the same data', async () => {
    const named = join(folder.path, 'named')
    await (await start({ stateDir: named, records: 90 }))[Symbol.asyncDispose]()
    expect(() => budgets(named)).toThrow(/agreed to a run/) // nothing was agreed to, and nothing adopted
    await (await start({ stateDir: named, records: 120 }))[Symbol.asyncDispose]()
    expect(budgets(named)).toMatchObject([{ steps: 3, budget: { epsilon: 4 } }])
  })
})

describe('two clients on one state folder', () => {
  it('are one: the second is refused before it reads, enrols or connects, and the first goes on', async () => {
    const [first, second] = [new CoordinatorDouble(), new CoordinatorDouble()]
    const settings = { folder: folder.path, transport: loopbackTransport(first) }
    await using site = await startSite(settings)
    await first.peer()
    const intruder = startSite({ folder: folder.path, transport: loopbackTransport(second) })
    await expect(intruder).rejects.toThrow(/LEDGER_LOCKED: expected no other client on .*state, got process \d+/)
    expect(second.sent).toEqual([])
    expect(site.events.map(({ event }) => event)).not.toContain('disconnected')
    await site[Symbol.asyncDispose]()
    await using next = await startSite(settings)
    expect(next.events.map(({ event }) => event)).toContain('budget')
  })

  it('and a start that failed lets go of it', async () => {
    const double = new CoordinatorDouble()
    const settings = { folder: folder.path, transport: loopbackTransport(double) }
    await expect(startSite({ ...settings, enrolmentToken: 'wrong' })).rejects.toThrow('TOKEN_INVALID')
    await using site = await startSite(settings)
    expect(site.events.map(({ event }) => event)).toContain('enrolled')
  })
})
