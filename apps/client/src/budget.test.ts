import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fixture } from '@fedsvd/testing/client/fixtures'
import { sampleBound } from '@fedsvd/testing/client/sample-run'
import { type TemporaryFolder, temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openBudget } from './budget.ts'
import { loadSiteData } from './data/index.ts'
import { ledgerPath, SITE_BUDGET, showLedger, spentEvents } from './ledger/index.ts'
import { defaultOwnerKey, makeOwnerKey, readOwnerKey } from './owner/owner-key.ts'
import { parseStatement, type StatementDraft, signStatement } from './owner/statement.ts'

/*
 * Attacks on the budget by another name for the same people: another view of the data, and a statement that is not what
 * it says.
 */
const BUDGET = { epsilon: 8, delta: 1e-5 }
const row = (n: number) => ({
  text: `Patient ${n} was seen on the ward with complaint number ${n * 17}.`,
  summary: `A short summary of the visit with number ${n}`,
  label: n % 2 === 0 ? 'ham' : 'spam',
})
const rows = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => row(from + n))

let folder: TemporaryFolder
let state: string
let owner: ReturnType<typeof makeOwnerKey>
beforeEach(() => {
  folder = temporaryFolder()
  state = join(folder.path, 'state')
  owner = makeOwnerKey(join(folder.path, 'owner', 'owner-key.pem'))
})
afterEach(() => folder[Symbol.dispose]())

const write = (name: string, data: readonly object[]): string => {
  const path = join(folder.path, name)
  const header = Object.keys(data[0]!)
  const csv = [header, ...data.map((one) => Object.values(one).map((cell) => `"${cell}"`))].map((line) =>
    line.join(','),
  )
  writeFileSync(path, name.endsWith('.csv') ? csv.join('\n') : data.map((one) => JSON.stringify(one)).join('\n'))
  return path
}
interface Asked {
  readonly name?: string
  readonly by?: ReturnType<typeof makeOwnerKey> | null
  readonly signed?: object
  readonly columns?: object
}
/** Opens the budget that pays for a file, with a statement on it where it is not the site's own. */
async function open(file: string, { name, by = owner, signed = {}, columns = {} }: Asked = {}) {
  using site = await loadSiteData(file, columns, state)
  const statementFile = join(folder.path, 'statement.json')
  if (name !== undefined && by !== null) {
    const at = '2026-03-01T00:00:00.000Z'
    const draft = { kind: 'disjoint' as const, budget: name, dataset: site.fingerprint, at, ...signed }
    writeFileSync(statementFile, JSON.stringify(signStatement(draft, by)))
  }
  return await openBudget({
    stateDir: state,
    fingerprint: site.fingerprint,
    dataFile: file,
    columns,
    budget: BUDGET,
    name,
    statementFile: name !== undefined && by !== null ? statementFile : undefined,
  })
}
const spend = (ledger: Awaited<ReturnType<typeof open>>) => ledger.charge('count', { ...sampleBound().event, steps: 1 })
const trainOn = async (file: string, asked?: Asked) => {
  using ledger = await open(file, asked)
  spend(ledger)
}

describe('the same people under another name', () => {
  it.each<[string, string, readonly object[], object]>([
    ['the same file', 'same.jsonl', rows(0, 100), {}],
    ['a row less', 'less.jsonl', rows(1, 100), {}],
    ['a row more', 'more.jsonl', rows(0, 101), {}],
    ['another order', 'order.jsonl', rows(0, 100).toReversed(), {}],
    ['another text column', 'column.jsonl', rows(0, 100), { textColumn: 'summary' }],
    ['trailing spaces', 'spaces.jsonl', rows(0, 100).map((one) => ({ ...one, text: `${one.text} ` })), {}],
    ['another format', 'format.csv', rows(0, 100), {}],
    ['other labels', 'labels.jsonl', rows(0, 100).map((one) => ({ ...one, label: 'x' })), {}],
  ])('gets no budget of its own, whatever is signed: %s', async (_, name, data, columns) => {
    await trainOn(write('first.jsonl', rows(0, 100)))
    await expect(open(write(name, data), { name: 'trial', columns })).rejects.toThrow(/DATA_OVERLAPS.*site/)
    const budgets = readdirSync(join(state, 'ledgers')).filter((file) => file.endsWith('.jsonl'))
    expect(budgets).toEqual(['site.jsonl'])
  })

  it('spends the budget of the site by default, whichever view of the data it is', async () => {
    await trainOn(write('first.jsonl', rows(0, 100)))
    await trainOn(write('less.jsonl', rows(1, 100)))
    await trainOn(write('column.jsonl', rows(0, 100)), { columns: { textColumn: 'summary' } })
    const [view, ...others] = showLedger(state)
    expect(others).toEqual([])
    expect(view).toMatchObject({ charges: 3, datasets: { length: 3 } })
  })

  it('cannot spend the budget of the site after one of its own', async () => {
    await trainOn(write('trial.jsonl', rows(0, 100)), { name: 'trial' })
    await expect(open(write('again.jsonl', rows(5, 105)))).rejects.toThrow(/DATA_OVERLAPS.*trial/)
  })

  it('gets none while a client of the other budget waits for its first run, whichever started first', async () => {
    const [file, again] = [write('trial.jsonl', rows(0, 100)), write('again.jsonl', rows(5, 105))]
    {
      using trial = await open(file, { name: 'trial' })
      await expect(open(again)).rejects.toThrow(/DATA_OVERLAPS.*trial/)
      spend(trial)
    }
    await expect(open(again)).rejects.toThrow(/DATA_OVERLAPS.*trial/)
  })

  it('gets one from the site when the client that asked for another has ended without a run', async () => {
    const [file, again] = [write('trial.jsonl', rows(0, 100)), write('again.jsonl', rows(5, 105))]
    {
      using _ = await open(file, { name: 'trial' })
    }
    await trainOn(again)
    await expect(open(file, { name: 'trial' })).rejects.toThrow(/DATA_OVERLAPS.*site/)
  })

  it('gets none where a ledger of before cannot be compared, until its data have been digested', async () => {
    mkdirSync(state)
    cpSync(fixture('ledgers-by-data-set', 'state', 'ledgers'), join(state, 'ledgers'), { recursive: true })
    for (const name of readdirSync(join(state, 'ledgers')))
      if (!name.startsWith('ec3d')) rmSync(join(state, 'ledgers', name))
    const trial = write('trial.jsonl', rows(0, 100))
    await expect(open(trial, { name: 'trial' })).rejects.toThrow(/DATA_OVERLAPS.*cannot be compared/)
    const before = await open(fixture('ledgers-by-data-set', 'records.jsonl'))
    before[Symbol.dispose]()
    using ledger = await open(trial, { name: 'trial' })
    expect(spentEvents(ledger.state)).toEqual([])
  })
})

describe('other people, of whom the data owner has signed that they are', () => {
  it('have a budget of their own, also while the other one is in use', async () => {
    using site = await open(write('first.jsonl', rows(0, 100)))
    spend(site)
    const trial = write('trial.jsonl', rows(200, 300))
    await expect(open(trial, { name: 'trial' })).rejects.toThrow('LEDGER_LOCKED') // the statement is new to the site
    site[Symbol.dispose]()
    const first = await open(trial, { name: 'trial' })
    spend(first)
    first[Symbol.dispose]()
    using again = await open(write('first.jsonl', rows(0, 100)))
    using ledger = await open(trial, { name: 'trial', by: null })
    expect(ledger.state).toMatchObject({ name: 'trial', budget: BUDGET })
    expect([spentEvents(again.state).length, spentEvents(ledger.state).length]).toEqual([1, 1])
  })

  it('have none where a fiftieth of them is in other data as well; a two-hundredth is let pass', async () => {
    await trainOn(write('first.jsonl', rows(0, 200)))
    const shared = write('shared.jsonl', rows(196, 396))
    await expect(open(shared, { name: 'trial' })).rejects.toThrow(/DATA_OVERLAPS.*2\.0 %/)
    using ledger = await open(write('hardly.jsonl', rows(199, 399)), { name: 'trial' })
    expect(spentEvents(ledger.state)).toEqual([])
  })

  it('have none without a statement, by another key, on other data or for another budget', async () => {
    await trainOn(write('trial.jsonl', rows(0, 100)), { name: 'trial' })
    const other = write('other.jsonl', rows(200, 300))
    const stranger = makeOwnerKey(join(folder.path, 'stranger.pem'))
    await expect(open(other, { name: 'second', by: null })).rejects.toThrow('STATEMENT_INVALID')
    const before = readFileSync(ledgerPath(state, SITE_BUDGET))
    await expect(open(other, { name: 'second', by: stranger })).rejects.toThrow(/STATEMENT_INVALID.*the key/)
    await expect(open(other, { name: 'second', signed: { dataset: 'ab'.repeat(32) } })).rejects.toThrow(
      'STATEMENT_INVALID',
    )
    await expect(open(other, { name: 'second', signed: { budget: 'third' } })).rejects.toThrow('STATEMENT_INVALID')
    expect(readFileSync(ledgerPath(state, SITE_BUDGET))).toEqual(before) // none of these statements was taken in
    await expect(open(other, { name: 'trial', by: null })).rejects.toThrow('STATEMENT_INVALID')
    await trainOn(other, { name: 'second' })
  })

  it('lose it where the owner of the site is another than signed for them', async () => {
    const trial = write('trial.jsonl', rows(0, 100))
    await trainOn(trial, { name: 'trial', by: makeOwnerKey(join(folder.path, 'stranger.pem')) })
    rmSync(ledgerPath(state, SITE_BUDGET))
    await trainOn(write('other.jsonl', rows(200, 300)), { name: 'second' })
    await expect(open(trial, { name: 'trial', by: null })).rejects.toThrow(
      /STATEMENT_INVALID.*a statement that another key signed/,
    )
  })

  it('lose it where the statement in the ledger is changed', async () => {
    const trial = write('trial.jsonl', rows(0, 100))
    await trainOn(trial, { name: 'trial' })
    const path = ledgerPath(state, 'trial')
    writeFileSync(path, readFileSync(path, 'utf8').replace('"at":"2026-03', '"at":"2027-03'))
    await expect(open(trial, { name: 'trial' })).rejects.toThrow('LEDGER_DAMAGED')
  })
})

describe('what is kept of the data', () => {
  it('is readable by its owner only, and holds none of their text', async () => {
    await trainOn(write('first.jsonl', rows(0, 100)))
    const kept = readdirSync(join(state, 'seen-data')).map((name) => join(state, 'seen-data', name))
    expect(kept).toHaveLength(2)
    for (const path of kept) {
      expect(statSync(path).mode & 0o077).toBe(0)
      expect(readFileSync(path, 'utf8')).not.toContain('ward')
    }
  })
})

describe('the data owner', () => {
  it('has a key outside the state folder, made once and readable by its owner only', () => {
    const path = join(folder.path, 'owner', 'owner-key.pem')
    expect(statSync(path).mode & 0o077).toBe(0)
    expect(readOwnerKey(path).equals(owner)).toBe(true)
    expect(() => makeOwnerKey(path)).toThrow('CONFIG_INVALID')
    expect(defaultOwnerKey({}, '/home/ann')).toBe('/home/ann/.config/fedsvd/owner-key.pem')
    expect(defaultOwnerKey({ FEDSVD_HOME: '/srv/site' }, '/home/ann')).toBe('/srv/site/owner/owner-key.pem')
  })

  it('signs each field: a statement that was changed in any is none', () => {
    const draft = {
      kind: 'disjoint' as const,
      budget: 'trial',
      dataset: 'ab'.repeat(32),
      at: '2026-03-01T00:00:00.000Z',
    }
    const statement = signStatement(draft, owner)
    expect(parseStatement(statement)).toEqual(statement)
    const { publicKey } = signStatement(draft, makeOwnerKey(join(folder.path, 'stranger.pem')))
    const changes = { budget: 'site', dataset: 'cd'.repeat(32), at: '2026-03-02T00:00:00.000Z', publicKey, more: 1 }
    for (const [name, value] of Object.entries(changes)) {
      expect(() => parseStatement({ ...statement, [name]: value }), name).toThrow('STATEMENT_INVALID')
    }
  })
})

describe('renewals that are given at a start', () => {
  const at = '2026-03-01T00:00:00.000Z'
  const statementIn = (file: string, draft: StatementDraft) => {
    const path = join(folder.path, file)
    writeFileSync(path, JSON.stringify(signStatement(draft, owner)))
    return path
  }
  const renewalIn = (file: string, changes: object = {}) =>
    statementIn(file, { kind: 'renewal', budget: 'site', from: '2026-03-01', ...BUDGET, at, ...changes })
  const start = async (...renewalFiles: readonly string[]) => {
    const dataFile = write('rows.jsonl', rows(0, 100))
    using site = await loadSiteData(dataFile, {}, state)
    const { fingerprint } = site
    return await openBudget({ stateDir: state, fingerprint, dataFile, columns: {}, budget: BUDGET, renewalFiles })
  }

  it('begin a period each on its day, once', async () => {
    const file = renewalIn('renewal.json')
    {
      using ledger = await start(file, renewalIn('later.json', { from: '2999-01-01' }))
      expect(ledger.state.periods).toHaveLength(1)
      spend(ledger)
    }
    using again = await start(file)
    expect([again.state.periods.length, again.state.statements.length]).toEqual([1, 2])
    expect(spentEvents(again.state)).toHaveLength(1)
  })

  it('are refused where they are of another budget, or of another kind', async () => {
    await expect(start(renewalIn('trial.json', { budget: 'trial' }))).rejects.toThrow(
      /STATEMENT_INVALID.*budget "trial"/,
    )
    const disjoint = statementIn('disjoint.json', { kind: 'disjoint', budget: 'site', dataset: '0'.repeat(64), at })
    await expect(start(disjoint)).rejects.toThrow(/STATEMENT_INVALID.*got a statement on a data set/)
    using ledger = await start() // whatever was refused let go of the ledger
    expect(ledger.state.periods).toEqual([])
  })
})
