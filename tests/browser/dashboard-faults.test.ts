import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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
import { SECRET, until } from '../../packages/testing/src/server/index.ts'

/* What only a browser shows: focus, layout, print, and what is there again when a page is come back to. */
if (CHROMIUM === undefined) console.warn(`skipped: ${HOW_TO_GET_CHROMIUM}`)

describe.skipIf(CHROMIUM === undefined)('in a browser', { timeout: 600_000 }, () => {
  let scene: Scene
  let browser: Browser
  let page: Page
  let runId: string

  beforeAll(async () => {
    scene = await openScene({ clientOptions: () => ({ train: async () => {} }) })
    browser = await openBrowser()
    page = (await openPage(browser)).page
    await signInOn(page, scene.url, NAMES.admin, SECRET)
    runId = (await scene.createRun(aRun({ quorum: 3, rounds: 3 }))).runId
    await scene.seen(runId, 'the first round', ({ current }) => current?.state === 'tasked')
  }, 600_000)
  afterAll(async () => {
    await browser?.close()
    await scene?.[Symbol.asyncDispose]()
  })

  it('Escape closes a question, and the focus is where it was', async () => {
    await page.goto(`${scene.url}/runs/${runId}`)
    const stop = page.getByRole('button', { name: 'Stop run', exact: true })
    await stop.press('Enter')
    await page.getByRole('dialog', { name: 'Stop "spam filter"?' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Stop run')
    expect((await scene.snapshot(runId)).state).toBe('running')
  })

  it('a cap is asked about before it is set', async () => {
    const [client] = scene.clients
    await page.goto(`${scene.url}/clients/${client!.clientId}`)
    const budget = page.getByRole('region', { name: 'Budget in all runs' })
    await budget.getByLabel('Epsilon per record').fill('0.5')
    await budget.getByRole('button', { name: 'Set cap' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    expect(await scene.store.clients.capsOf(client!.clientId)).toEqual([])
    expect(await page.title()).toBe('north clinic · fedsvd')
  })

  it('a form is there again after Back, and at an unknown address is a page', async () => {
    await page.goto(`${scene.url}/new-run`)
    await page.getByLabel('Name').fill('half typed')
    await page.goto(`${scene.url}/no/such/view`)
    await page.getByText('There is no view at this address.').waitFor()
    await page.goBack()
    await until('the draft', async () => (await page.getByLabel('Name').inputValue()) === 'half typed')
  })

  it('names of sites stand in one line on a narrow page', async () => {
    await scene.store.clients.setCap({
      clientId: scene.clients[0]!.clientId,
      epsilon: 1,
      delta: 1e-5,
      actor: 'x',
      at: 1,
    })
    await page.setViewportSize({ width: 390, height: 800 })
    await page.goto(scene.url)
    const name = page
      .getByRole('region', { name: /^Privacy spent/ })
      .getByRole('link')
      .first()
    await name.waitFor()
    expect((await name.boundingBox())!.height).toBeLessThan(40) // two lines at most
    await page.setViewportSize({ width: 1440, height: 900 })
  })

  it('a page prints what it shows, and a statement alone, on white', async () => {
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
    await page.goto(`${scene.url}/runs/${runId}`)
    await page.getByRole('heading', { level: 1, name: 'spam filter' }).waitFor() // which is to be visible
    expect(await page.getByRole('button', { name: 'Stop run' }).isVisible()).toBe(false)
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(255, 255, 255)')
    await page.goto(`${scene.url}/reports`)
    const statement = page.getByRole('article', { name: 'Privacy statement' })
    await statement.getByRole('heading', { name: /^Privacy statement: .* in spam filter$/ }).waitFor()
    expect(await page.getByRole('heading', { level: 1 }).isVisible()).toBe(false)
    const [top, height] = await page.evaluate<[number, number]>(
      '[document.querySelector(".printed").getBoundingClientRect().top, document.documentElement.scrollHeight]',
    )
    expect(top).toBeLessThan(120)
    expect(height).toBeLessThan(1600) // one page or two, and none that is blank
    await page.emulateMedia({ media: 'screen', colorScheme: 'light' })
  })
})
