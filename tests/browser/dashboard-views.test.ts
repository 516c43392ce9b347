import { gzipSync } from 'node:zlib'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pld } from '../../packages/core/src/accounting/index.ts'
import {
  aRun,
  CHROMIUM,
  HOW_TO_GET_CHROMIUM,
  NAMES,
  openBrowser,
  openPage,
  openScene,
  type Scene,
  seriousFaults,
  signInOn,
  type WatchedPage,
} from '../../packages/testing/src/dashboard/index.ts'
import { createOperator, SECRET, until } from '../../packages/testing/src/server/index.ts'

/*
 * Every view in a real browser, against a real coordinator whose clients follow the protocol and train nothing. What
 * the page shows is held against what the coordinator answers, or against the accountant.
 */
if (CHROMIUM === undefined) console.warn(`skipped: ${HOW_TO_GET_CHROMIUM}`)

describe.skipIf(CHROMIUM === undefined)('the dashboard', { timeout: 600_000 }, () => {
  let scene: Scene
  let browser: Browser
  let admin: WatchedPage
  let runId: string

  beforeAll(async () => {
    scene = await openScene()
    browser = await openBrowser()
    runId = (await scene.createRun(aRun({ rounds: 5 }))).runId
    await scene.seen(runId, 'the end', ({ state, rounds }) => state === 'completed' && rounds.length === 5)
    admin = await openPage(browser)
    await signInOn(admin.page, scene.url, NAMES.admin, SECRET)
  }, 600_000)
  afterAll(async () => {
    await browser?.close()
    await scene?.[Symbol.asyncDispose]()
  })

  const open = async (path: string, { page } = admin) => {
    await page.goto(`${scene.url}${path}`)
    await page.getByRole('heading', { level: 1 }).waitFor()
    return page
  }
  const epsilonAfter = (steps: number): string => {
    const bound = pld.epsilonUpperBound([{ sampleRate: 0.1, noiseMultiplier: 2, steps }], 1e-5)
    return (Math.ceil(bound * 1000 - 1e-9) / 1000).toFixed(3)
  }

  it('shows runs, epsilons with unit and delta, and bars that are as long as what was spent', async () => {
    const page = await open('/')
    const card = page.getByRole('article', { name: 'Run spam filter' })
    await card
      .getByText(`≤ ${epsilonAfter(10)}`)
      .first()
      .waitFor()
    expect(await card.textContent()).toMatch(/5 of 5.*per record, δ 1e−5/)
    const [share, drawn, color] = await page.evaluate<[number, number, string]>(`(() => {
      const meter = document.querySelector('article[aria-label="Run spam filter"] [role=meter]')
      const bar = meter.firstElementChild
      const drawn = bar.getBoundingClientRect().width / meter.getBoundingClientRect().width
      return [Number(meter.getAttribute('aria-valuenow')), 100 * drawn, getComputedStyle(bar).backgroundColor]
    })()`)
    expect(share).toBeGreaterThan(5)
    expect(Math.abs(share - drawn)).toBeLessThan(1)
    expect(color).toBe('rgb(0, 114, 178)') // was transparent when the build lost its colours
  })

  it('shows a run in full: quality, privacy, spectra, rounds with phases and bytes, configuration', async () => {
    const page = await open(`/runs/${runId}`)
    for (const name of ['Privacy spent', 'Accuracy and loss', 'Singular spectrum', 'Rounds', 'Configuration']) {
      await page.getByRole('region', { name, exact: true }).waitFor()
    }
    const rows = page.getByRole('table', { name: 'Rounds' }).getByRole('row')
    await rows.nth(5).waitFor()
    expect(await rows.nth(1).textContent()).toMatch(/^5published33000/)
    const { clients } = await scene.snapshot(runId)
    const spent = page.getByRole('table', { name: 'Privacy spent per client' })
    for (const { name } of clients)
      await spent.getByRole('row', { name: new RegExp(`${name}.*run has ended`) }).waitFor()
    expect(await page.locator('canvas').count()).toBeGreaterThanOrEqual(4)
    await page.getByText(/^Effective rank after round 5: [12]\.\d\d of 2/).waitFor()
    await page.getByText(/^those after round 5 were made on javascript in [\d.]+ s$/).waitFor()
  })

  it('shows a client with its key, last sight, every event and the epsilon after each, and both ledgers', async () => {
    const [client] = scene.clients
    const page = await open(`/clients/${client!.clientId}`)
    const events = page.getByRole('table', { name: 'Ledger events of spam filter' })
    for (const [row, rounds] of [
      [1, 5],
      [5, 1],
    ] as const) {
      await events
        .getByRole('row')
        .nth(row)
        .getByText(`≤ ${epsilonAfter(2 * rounds)}`)
        .waitFor()
    }
    await page
      .getByText("5 events counted here, 5 of them reported from the client's own ledger. They agree.")
      .waitFor()
    expect(await page.getByRole('region', { name: 'Identity' }).textContent()).toContain(client!.clientId)
    expect(await page.getByRole('region', { name: 'Identity' }).textContent()).toMatch(/connected since \d{4}-/)
  })

  it('finds the noise and the end of a budget while numbers are moved, with the accountant of the clients', async () => {
    const page = await open('/what-if')
    await page.getByText('Find the rounds').click()
    const fill = async (label: string, value: number) =>
      await page.getByLabel(label, { exact: true }).fill(String(value))
    await fill('Declared records', 1000)
    await fill('Expected batch size', 100)
    await fill('Local steps per round', 2)
    await fill('Noise multiplier', 2)
    await fill('Rounds', 5)
    const outcome = page.getByRole('region', { name: 'Outcome' })
    await outcome.getByText(`≤ ${epsilonAfter(10)}`).waitFor()
    await outcome.getByText(`≤ ${epsilonAfter(2)}`).waitFor()
    await fill('Expected batch size', 2000)
    await page.getByText('The expected batch size is at most as large as the data.').waitFor()
  })

  it('prices a run for every client before it is opened, says what is wrong with it, and opens it', async () => {
    const page = await open('/new-run')
    const button = page.getByRole('button', { name: 'Start run' })
    expect(await button.isDisabled()).toBe(true)
    await page.getByLabel('Name').fill('second run')
    expect(await page.getByLabel('Model', { exact: true }).inputValue()).toBe('tiny') // the only one
    expect(await page.getByLabel('Longest text').inputValue()).toBe('16') // the longest that it reads
    await page.getByLabel('Expected batch size').fill('10')
    await page.getByLabel('Quorum').fill('4')
    await page.getByText('At most 3, as many as are asked').waitFor()
    expect(await button.isDisabled()).toBe(true)
    await page.getByLabel('Quorum').fill('3')
    const costs = page.getByRole('table', { name: 'Cost per site' })
    for (const name of ['north clinic', 'east bank', 'south archive']) {
      await costs.getByRole('row', { name: new RegExp(`${name}\\s*100\\s*≤ ${epsilonAfter(10)}`) }).waitFor()
    }
    await button.click() // rank 8 is too much for the model, which only the coordinator knows
    await page.getByRole('alert').getByText('Adapter invalid').waitFor()
    await page.getByLabel('Rank', { exact: true }).fill('2')
    // Fake clients add more noise than most runs need, and would be left out of those.
    await page.getByLabel('Budget of each site').fill('0.9')
    await page.getByText('3 sites can take part now; a round needs 3.').waitFor()
    await button.click()
    await page.getByRole('heading', { level: 1, name: 'second run' }).waitFor()
    const id = page.url().split('/').at(-1)!
    const run = await scene.seen(id, 'the first round', ({ roundsDone }) => roundsDone > 0)
    expect(run).toMatchObject({ name: 'second run', manifest: { quorum: 3, expectedLotSize: 10 } })
    await scene.seen(id, 'the end', ({ state }) => state === 'completed' || state === 'failed')
  })

  it('searches the audit log by names, and says that its chain is whole', async () => {
    const page = await open('/audit')
    await page.getByText(/The chain of \d+ entries is intact/).waitFor()
    await page.getByLabel('Actor').fill('ada')
    await page.getByRole('button', { name: 'Search' }).click()
    const rows = page.getByRole('table', { name: 'Audit log' }).getByRole('row')
    await until('her entries', async () => (await rows.allTextContents()).slice(1).every((text) => /ada/.test(text)))
    await open('/audit?action=run.create&object=spam') // the address says what is asked
    await until('the search', async () => (await rows.count()) === 2)
    await rows.nth(1).getByRole('link', { name: 'spam filter' }).waitFor()
  })

  it('shows a signed statement, and hands it out', async () => {
    const page = await open('/reports')
    await page.getByLabel('Run').selectOption({ value: runId })
    const statement = page.getByRole('article', { name: 'Privacy statement' })
    await statement.getByText(runId).waitFor()
    const { publicKey } = (await (await fetch(`${scene.url}/v1/statement-key`)).json()) as { publicKey: string }
    expect(await statement.textContent()).toContain(`≤ ${epsilonAfter(10)} per record, δ 1e−5`)
    expect(await statement.textContent()).toContain(publicKey)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download as JSON' }).click(),
    ])
    expect(download.suggestedFilename()).toMatch(/^privacy-statement-[0-9a-f]{8}-[0-9a-f]{8}\.json$/)
  })

  it('says what is missing where there is nothing, and what is wrong where there is a fault', async () => {
    await createOperator(scene, 'nobody', 'operator')
    const other = await openPage(browser)
    await signInOn(other.page, scene.url, 'nobody', SECRET)
    await other.page.getByText('No run yet.').waitFor()
    await other.page.goto(`${scene.url}/runs/${runId}`)
    await other.page.getByRole('alert').getByText('Run not found').waitFor()
    await other.page.goto(`${scene.url}/audit`)
    await other.page.getByText('Admins and auditors read the log.').waitFor()
    await other.context.close()
  })

  const VIEWS = [
    '/',
    '/runs/RUN',
    '/clients',
    '/clients/CLIENT',
    '/models',
    '/what-if',
    '/new-run',
    '/reports',
    '/audit',
  ]
  const addressOf = (view: string): string => view.replace('RUN', runId).replace('CLIENT', scene.clients[0]!.clientId)

  it.each(VIEWS)(
    '%s has nothing serious for axe to find, light and dark, and fits from 360 to 2560 pixels',
    async (view) => {
      const page = await open(addressOf(view))
      await page
        .getByText(/^Loading/)
        .first()
        .waitFor({ state: 'detached' })
      expect(await seriousFaults(page)).toEqual([])
      await page.emulateMedia({ colorScheme: 'dark' })
      expect(await seriousFaults(page, ['color-contrast'])).toEqual([])
      await page.emulateMedia({ colorScheme: 'light' })
      for (const width of [360, 2560, 1440]) {
        await page.setViewportSize({ width, height: 900 })
        const tooWide = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'
        // The navigation may still be sliding away.
        await until(`${view} to fit into ${width} pixels`, async () => (await page.evaluate(tooWide)) === 0, 15_000)
      }
    },
  )

  it('has nothing serious for axe to find before anybody has signed in', async () => {
    const { page, context } = await openPage(browser, { width: 360 })
    await page.goto(scene.url)
    await page.getByLabel('Name').waitFor()
    expect(await seriousFaults(page)).toEqual([])
    await page.emulateMedia({ colorScheme: 'dark' })
    expect(await seriousFaults(page, ['color-contrast'])).toEqual([])
    await context.close()
  })

  it('can be walked through by keyboard alone', async () => {
    const page = await open('/')
    await page.getByRole('article').first().waitFor() // before the runs are there, there is nothing to walk to
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    const link = await page.evaluate("document.activeElement.getAttribute('href')")
    expect(link).toMatch(/^\/(runs|clients)\//)
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/(runs|clients)\//)
  })

  it('loads with no network but the coordinator, and within its budget of scripts', async () => {
    const watched = await openPage(browser)
    const { page } = watched
    const foreign: string[] = []
    let scripts = 0
    page.on('request', (request) => {
      if (!request.url().startsWith(scene.url)) foreign.push(request.url())
    })
    page.on('response', (response) => {
      if (response.request().resourceType() !== 'script') return
      void response.body().then((body) => {
        scripts += gzipSync(body).byteLength
      })
    })
    await signInOn(page, scene.url, NAMES.auditor, SECRET)
    await page.getByRole('article', { name: 'Run spam filter' }).waitFor()
    expect(foreign.filter((address) => !address.startsWith('data:') && !address.startsWith('ws:'))).toEqual([])
    expect(scripts).toBeGreaterThan(50_000)
    expect(scripts).toBeLessThan(350_000)
    await watched.context.close()
  })

  it('shows how well a run that tags words finds them, at a glance and round by round', async () => {
    await scene.store.rounds.setEvaluation(runId, 4, { accuracy: 0.75, loss: 0.5, records: 40, microF1: 0.625 })
    const card = (await open('/')).getByRole('article', { name: 'Run spam filter' })
    await card.getByText('0.625').waitFor()
    expect(await card.textContent()).toMatch(/Micro-F1 ?0\.625of all tags but O/)
    const page = await open(`/runs/${runId}`)
    await page.getByRole('img', { name: /the micro-F1 of all tags but O 0\.625/ }).waitFor()
  })

  it('complained of nothing all the while', () => {
    expect(admin.faults).toEqual([])
  })
})
