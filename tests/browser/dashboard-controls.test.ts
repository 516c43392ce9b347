import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createMemoryStore } from '../../apps/server/src/storage/records/memory/index.ts'
import {
  aRun,
  CHROMIUM,
  HOW_TO_GET_CHROMIUM,
  NAMES,
  openBrowser,
  openPage,
  openScene,
  type Scene,
  signInOn,
} from '../../packages/testing/src/dashboard/index.ts'
import {
  createOperator,
  FakeClient,
  MovableClock,
  post,
  SECRET,
  signIn,
  temporaryFolder,
  tinyRequest,
  trainAndUpload,
  until,
} from '../../packages/testing/src/server/index.ts'

/*
 * What operators do in the browser, held against what the running coordinator does of it. Clients train when they are
 * let.
 */
if (CHROMIUM === undefined) console.warn(`skipped: ${HOW_TO_GET_CHROMIUM}`)

describe.skipIf(CHROMIUM === undefined)('in the dashboard', { timeout: 600_000 }, () => {
  const clock = new MovableClock()
  let scene: Scene
  let browser: Browser
  let page: Page
  /** Clients wait for it before they upload. */
  let gate = Promise.resolve()
  let relinquish = (): void => {}

  const hold = (): void => {
    gate = new Promise((resolve) => {
      relinquish = resolve
    })
  }

  beforeAll(async () => {
    scene = await openScene({
      parts: { clock },
      clientOptions: () => ({
        train: async (client, invitation) => {
          await gate
          await trainAndUpload(client, invitation)
        },
      }),
    })
    browser = await openBrowser()
    page = (await openPage(browser)).page
    await signInOn(page, scene.url, NAMES.admin, SECRET)
  }, 600_000)
  afterEach(() => relinquish())
  afterAll(async () => {
    await browser?.close()
    await scene?.[Symbol.asyncDispose]()
  })

  /** A run whose first round waits for its updates, on its page. */
  const openRun = async (changes: Parameters<typeof aRun>[0] = {}): Promise<string> => {
    hold()
    const { runId } = await scene.createRun(aRun({ quorum: 3, rounds: 3, deadlineSeconds: 600, ...changes }))
    await scene.seen(runId, 'the first round', ({ current }) => current?.state === 'tasked')
    await page.goto(`${scene.url}/runs/${runId}`)
    return runId
  }
  const state = (word: string) => page.locator('h1 + .state-word', { hasText: word })
  const button = (name: string) => page.getByRole('button', { name, exact: true })

  it('a run is paused, stands still, and goes on', async () => {
    const runId = await openRun()
    await button('Pause').click()
    await state('paused').waitFor()
    expect((await scene.snapshot(runId)).state).toBe('paused')
    relinquish()
    await button('Resume').click()
    await state('running').or(state('completed')).waitFor()
    // Fake clients do not repeat an update that was refused meanwhile: they are invited again as real ones are.
    for (const client of scene.clients) client.disconnect()
    await until('their departure', async () =>
      (await scene.snapshot(runId)).clients.every(({ connected }) => !connected),
    )
    for (const client of scene.clients) await client.connect()
    await state('completed').waitFor()
    expect((await scene.snapshot(runId)).roundsDone).toBe(3)
  })

  it('a run is extended and its quorum and deadline changed, from the next round on and live on every page', async () => {
    const runId = await openRun({ clientsPerRound: 2, quorum: 2, rounds: 2 })
    const controls = page.getByRole('region', { name: 'Controls' })
    await controls.getByLabel('Quorum').fill('3')
    await controls.getByText('A quorum is at most the number of clients asked, 2.').waitFor()
    expect(await button('Change from the next round on').isDisabled()).toBe(true)
    await controls.getByLabel('Quorum').fill('1')
    await controls.getByLabel('Rounds in all').fill('4')
    await controls.getByLabel('Deadline').fill('300')
    await button('Change from the next round on').click()
    await page.getByText('0 of 4', { exact: true }).waitFor()
    expect((await scene.snapshot(runId)).plan).toMatchObject({ rounds: 4, quorum: 1, deadlineSeconds: 300, version: 1 })
    relinquish()
    await page.getByText('4 of 4', { exact: true }).waitFor() // no reload: it came over the socket
    await state('completed').waitFor()
  })

  it('a run is stopped, once that is confirmed', async () => {
    const runId = await openRun()
    await button('Stop run').click()
    await page.getByText('This cannot be undone. Privacy already spent is not returned.').waitFor()
    expect((await scene.snapshot(runId)).state).toBe('running')
    await button('Stop permanently').click()
    await state('stopped').waitFor()
    expect(await scene.snapshot(runId)).toMatchObject({ state: 'stopped', reason: 'stopped by an operator' })
    await until('the clients to hear of it', () => scene.clients[0]!.ended.some((end) => end.runId === runId))
    await page.getByRole('region', { name: 'Controls' }).waitFor({ state: 'detached' })
  })

  it('a round that stalls, a client that refuses and a budget that runs out are told', async () => {
    hold()
    const clients = await Promise.all(
      ['careful site', 'poor site'].map((name) =>
        scene.client(name, {
          ...(name === 'careful site'
            ? {
                onInvite: () => ({
                  accepted: false as const,
                  error: { code: 'LEDGER_LOCKED', expected: 'a ledger', got: 'a locked one', remedy: 'Wait.' },
                }),
              }
            : { terms: { noiseMultiplier: 1.2, budget: { epsilon: 1.3, delta: 1e-5 } } }),
          onOffer: (manifest, accept) => (manifest.name === 'worrying run' ? accept : declined),
        }),
      ),
    )
    for (const client of clients) await client.connect()
    await page.goto(scene.url)
    const { runId } = await scene.createRun(
      aRun({ name: 'worrying run', clientsPerRound: 5, quorum: 5, deadlineSeconds: 60 }),
    )
    await scene.seen(runId, 'the first round', ({ current }) => current?.state === 'tasked')
    const card = page.getByRole('article', { name: 'Run worrying run' })
    await card.getByText(/poor site: used up \d+ rounds? before the planned end/).waitFor()
    await card.getByText(/careful site: .*refused round 1/).waitFor()
    clock.advance(61_000)
    await card.getByText(/Round 1 is stalled: its deadline has passed/).waitFor()
    await post(scene.url, `/v1/runs/${runId}/stop`, {}, scene.operatorToken)
    for (const client of clients) client.disconnect()
  })

  it('a token is made, shown once, and lets one client in', async () => {
    await page.goto(`${scene.url}/clients`)
    await button('Create').click()
    const shown = page.getByRole('status').locator('pre')
    const token = (await shown.textContent())!.trim()
    await button('Done').click()
    await shown.waitFor({ state: 'detached' })
    const client = await FakeClient.enrol(scene.url, token, 'new clinic')
    await expect(FakeClient.enrol(scene.url, token, 'another')).rejects.toThrow('TOKEN_INVALID')
    await page.reload()
    await page.getByRole('link', { name: 'new clinic' }).click()
    await page.getByRole('region', { name: 'Identity' }).getByText(client.clientId).waitFor()
  })

  it('a cap is set and lowered, refused upwards once data have been used, and ends the invitations', async () => {
    const [client] = scene.clients
    await page.goto(`${scene.url}/clients/${client!.clientId}`)
    const budget = page.getByRole('region', { name: 'Budget in all runs' })
    await budget.getByLabel('Epsilon per record').fill('2.5')
    await budget.getByRole('button', { name: 'Set cap' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Set cap' }).click()
    await budget.getByText('≤ 2.500').waitFor()
    await budget.getByLabel('Epsilon per record').fill('2.6')
    await budget.getByText('At most epsilon 2.5 at δ 1e−5, which is in force: data have been used.').waitFor()
    await budget.getByLabel('Epsilon per record').fill('0.01')
    await budget.getByRole('button', { name: 'Lower cap' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Lower cap' }).click()
    await budget.getByText('≤ 0.010').waitFor()
    expect(await budget.getByRole('table', { name: 'Caps so far' }).getByRole('row').count()).toBe(3)
    const before = client!.invitations.length
    const { runId } = await scene.createRun(aRun({ clientsPerRound: 2, quorum: 2, rounds: 1 }))
    relinquish()
    await scene.seen(runId, 'the end without it', ({ state: now }) => now === 'completed')
    expect(client!.invitations).toHaveLength(before)
  })

  it('a client is revoked, and is gone', async () => {
    const client = await scene.client('lost site')
    await client.connect()
    await page.goto(`${scene.url}/clients/${client.clientId}`)
    await button('Revoke').click()
    await button('Revoke permanently').click()
    await page.locator('h1 + .state-word', { hasText: 'revoked' }).waitFor()
    await until('its connection to end', () => client.socket?.connected === false)
    await expect(client.connect()).rejects.toThrow('FORBIDDEN')
  })

  it('an auditor sees everything and finds nothing to change it with', async () => {
    const { runId } = await scene.createRun(aRun({ clientsPerRound: 2, quorum: 2, name: 'watched run' }))
    const { page: view, context } = await openPage(browser)
    await signInOn(view, scene.url, NAMES.auditor, SECRET)
    const told = await view.getByRole('navigation').textContent()
    expect(told).toMatch(/OverviewClientsModelsWhat ifReportsAudit/)
    await view.goto(`${scene.url}/runs/${runId}`)
    await view.getByRole('heading', { level: 1, name: 'watched run' }).waitFor()
    expect(await view.getByRole('region', { name: 'Controls' }).count()).toBe(0)
    await view.goto(`${scene.url}/clients/${scene.clients[1]!.clientId}`)
    await view.getByRole('region', { name: 'Budget in all runs' }).waitFor()
    for (const name of ['Revoke', 'Set cap']) expect(await view.getByRole('button', { name }).count()).toBe(0)
    await view.goto(`${scene.url}/clients`)
    await view.getByRole('region', { name: 'Enrolled' }).waitFor()
    expect(await view.getByRole('region', { name: 'Enrolment tokens' }).count()).toBe(0)
    await view.goto(`${scene.url}/new-run`)
    await view.getByText('Auditors see runs and cannot start them.').waitFor()
    await view.goto(`${scene.url}/audit`)
    await view.getByText(/The chain of \d+ entries is intact/).waitFor()
    await context.close()
  })

  it('an operator sees and steers their own runs only, and revokes no client', async () => {
    const token = await signIn(scene.url, NAMES.operator)
    await post(scene.url, '/v1/runs', tinyRequest({ name: 'own run' }), token)
    const { page: view, context } = await openPage(browser)
    await signInOn(view, scene.url, NAMES.operator, SECRET)
    await view.getByRole('article').first().waitFor()
    expect(await view.getByRole('article').count()).toBe(1)
    await view.getByRole('link', { name: 'own run' }).click()
    await view.getByRole('region', { name: 'Controls' }).waitFor()
    await view.goto(`${scene.url}/clients/${scene.clients[1]!.clientId}`)
    await view.getByRole('region', { name: 'Identity' }).waitFor()
    for (const name of ['Revoke', 'Set cap']) expect(await view.getByRole('button', { name }).count()).toBe(0)
    await context.close()
  })

  it('a session ends by signing out, when its operator is disabled, and when it is left alone for long', async () => {
    const { id } = await createOperator(scene, 'mallory', 'auditor')
    const { page: view, context } = await openPage(browser)
    await signInOn(view, scene.url, 'mallory', SECRET)
    await view.getByRole('button', { name: 'Sign out' }).click()
    await view.getByLabel('Secret').waitFor()
    expect(await view.getByText('Your session has ended').count()).toBe(0)
    await signInOn(view, scene.url, 'mallory', SECRET)
    await view.getByText('Live', { exact: true }).waitFor()
    await post(scene.url, `/v1/operators/${id}/disable`, {}, scene.operatorToken)
    await view.getByText('Your session has ended. Sign in again.').waitFor()
    await signInOn(view, scene.url, NAMES.auditor, SECRET)
    await view.getByText('Live', { exact: true }).waitFor()
    clock.advance(31 * 60_000)
    await view.getByText('Your session has ended. Sign in again.').waitFor()
    await context.close()
  })
})

const declined = {
  accepted: false as const,
  error: { code: 'DATA_EMPTY', expected: 'records', got: 'none', remedy: 'Add some.' },
}

describe.skipIf(CHROMIUM === undefined)('when the coordinator goes away and comes back', { timeout: 600_000 }, () => {
  it('the page says so, reconnects by itself, and catches up without a reload', async () => {
    await using folder = await temporaryFolder()
    const store = createMemoryStore()
    const parts = { openStore: async () => store }
    const first = await openScene({ settings: { stateDir: folder.path }, parts })
    const browser = await openBrowser()
    try {
      const { page } = await openPage(browser)
      await signInOn(page, first.url, NAMES.admin, SECRET)
      await page.getByText('Live', { exact: true }).waitFor()
      await page.evaluate('window.isTheSamePage = true')
      await first[Symbol.asyncDispose]()
      await page.getByText('Reconnecting', { exact: true }).waitFor()
      const port = Number(new URL(first.url).port)
      await using second = await openScene({
        settings: { stateDir: folder.path, port },
        parts,
        clients: [],
        operators: false,
      })
      await page.getByText('Live', { exact: true }).waitFor()
      await second.createRun(aRun({ name: 'after the restart' }))
      await page.getByRole('article', { name: 'Run after the restart' }).waitFor()
      expect(await page.evaluate('window.isTheSamePage')).toBe(true)
    } finally {
      await browser.close()
    }
  })
})
