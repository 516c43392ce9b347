import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestCoordinator, testCoordinator } from '../../../packages/testing/src/server/index.ts'
import type { Store } from '../../server/src/storage/records/index.ts'
import { createMemoryStore } from '../../server/src/storage/records/memory/index.ts'

const FEDSVD = fileURLToPath(new URL('../bin/fedsvd.mjs', import.meta.url))

function fedsvd(
  args: readonly string[],
  { input = '', token }: { input?: string; token?: string } = {},
): Promise<{ code: number; out: string; err: string }> {
  const env = { ...process.env, ...(token !== undefined && { FEDSVD_OPERATOR_TOKEN: token }) }
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [FEDSVD, ...args], { env }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err })
    })
    child.stdin?.end(input)
  })
}

/** A store whose audit log has been tampered with. */
class Tampered {
  edit: Awaited<ReturnType<Store['audit']['page']>>[number]['actor'] | undefined
  isCut = false
  readonly store: Store

  constructor() {
    const store = createMemoryStore()
    const page: Store['audit']['page'] = async (seq, limit) =>
      (await store.audit.page(seq, limit))
        .filter((entry) => !this.isCut || entry.seq < 3)
        .map((entry) => (this.edit !== undefined && entry.seq === 2 ? { ...entry, actor: this.edit } : entry))
    this.store = { ...store, audit: { ...store.audit, page } }
  }
}

describe('operators on the command line', { timeout: 120_000 }, () => {
  const tampered = new Tampered()
  let coordinator: TestCoordinator
  let at: string[]
  beforeAll(async () => {
    coordinator = await testCoordinator({}, { openStore: async () => tampered.store })
    at = ['--coordinator', coordinator.url]
  })
  afterAll(() => coordinator[Symbol.asyncDispose]())

  it('are made, sign in, read the audit log, and are disabled', async () => {
    const root = { token: coordinator.operatorToken }
    const made = await fedsvd(
      ['operator', 'create', ...at, '--name', 'aude', '--role', 'auditor', '--json', '--show-secret'],
      root,
    )
    expect({ code: made.code, err: made.err }).toEqual({ code: 0, err: '' })
    const { id, secret } = JSON.parse(made.out)
    const wrong = await fedsvd(['operator', 'sign-in', ...at, '--name', 'aude'], { input: 'not the secret' })
    expect(wrong).toMatchObject({ code: 9, err: expect.stringMatching(/^SIGN_IN_REFUSED: /) })
    const signedIn = await fedsvd(['operator', 'sign-in', ...at, '--name', 'aude'], { input: `${secret}\n` })
    const auditor = { token: signedIn.out.trim() }

    const listed = await fedsvd(['operator', 'list', ...at], auditor)
    expect(listed.out).toMatch(new RegExp(`^${id} +aude +auditor$`, 'm'))
    const refused = await fedsvd(['operator', 'create', ...at, '--name', 'eve', '--role', 'admin'], auditor)
    expect(refused).toMatchObject({ code: 9, err: expect.stringMatching(/^FORBIDDEN: expected the role admin/) })

    const log = await fedsvd(['audit-log', 'show', ...at, '--json'], auditor)
    const actions = log.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).action)
    expect(actions).toEqual(['operator.create', 'session.refuse', 'session.begin'])
    expect(log.out).not.toContain(secret)
    const rows = await fedsvd(['audit-log', 'show', ...at, '--after', '1', '--limit', '1'], auditor)
    expect(rows.out).toMatch(/^ *seq .*\n *2 .*session\.refuse/)

    const verified = await fedsvd(['audit-log', 'verify', ...at], auditor)
    expect(verified).toMatchObject({ code: 0, out: expect.stringMatching(/^3 entries, chain unbroken/) })
    const anchor = verified.out.trim().split('\n').at(-1)!
    expect((await fedsvd(['audit-log', 'verify', ...at, '--anchor', anchor], auditor)).code).toBe(0)

    tampered.isCut = true
    const cut = await fedsvd(['audit-log', 'verify', ...at, '--anchor', anchor], auditor)
    expect(cut).toMatchObject({ code: 1, err: expect.stringMatching(/^AUDIT_DAMAGED: .*ends at entry 2/) })
    tampered.isCut = false
    const other = anchor.replace(/:./, anchor.includes(':0') ? ':1' : ':0')
    const moved = await fedsvd(['audit-log', 'verify', ...at, '--anchor', other], auditor)
    expect(moved).toMatchObject({ code: 1, err: expect.stringMatching(/^AUDIT_DAMAGED: .*not the one that was noted/) })
    tampered.edit = 'somebody else'
    const edited = await fedsvd(['audit-log', 'verify', ...at], auditor)
    expect(edited).toMatchObject({ code: 1, err: expect.stringMatching(/^AUDIT_DAMAGED: expected entry 2 /) })
    tampered.edit = undefined

    const disabled = await fedsvd(['operator', 'disable', id, ...at], root)
    expect(disabled).toMatchObject({ code: 0, out: expect.stringContaining('aude is disabled since') })
    const late = await fedsvd(['audit-log', 'show', ...at], auditor)
    expect(late).toMatchObject({ code: 9, err: expect.stringMatching(/^TOKEN_INVALID: /) })
  })

  it.each([
    'operator create',
    'operator list',
    'operator disable',
    'operator sign-in',
    'audit-log show',
    'audit-log verify',
  ])('%s --help shows an example', async (command) => {
    const { code, out } = await fedsvd([...command.split(' '), '--help'])
    expect(code).toBe(0)
    expect(out).toMatch(/Example:\n {2}\$ .*fedsvd/)
    expect(out).toContain('--json')
  })
})
