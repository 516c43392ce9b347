import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  busyWhile,
  CHROMIUM,
  HOW_TO_GET_CHROMIUM,
  NAMES,
  openBrowser,
  openPage,
  openScene,
  type Scene,
  seedBigRun,
  signInOn,
} from '../../packages/testing/src/dashboard/index.ts'
import { SECRET, until } from '../../packages/testing/src/server/index.ts'

/*
 * The aim is that an operator waits less than 100 ms for the page, with 200 clients and 1,000 rounds on it. Times are
 * measured by `npm run bench:dashboard`. Here they only have to tell today's page from one that draws everything at
 * once, also on a machine that is busy with other tests: processor time, and twice the aim.
 */
const AIM_MS = 100

if (CHROMIUM === undefined) console.warn(`skipped: ${HOW_TO_GET_CHROMIUM}`)

describe.skipIf(CHROMIUM === undefined)('a run of 200 clients and 1,000 rounds', { timeout: 600_000 }, () => {
  let scene: Scene
  let browser: Browser

  beforeAll(async () => {
    scene = await openScene({ clients: [] })
    await seedBigRun(scene, { clients: 200, rounds: 1000, perRound: 10 })
    browser = await openBrowser()
  }, 600_000)
  afterAll(async () => {
    await browser?.close()
    await scene?.[Symbol.asyncDispose]()
  })

  it('is opened, turned over and shown in the dark in short pieces of work', async () => {
    const { page, context, faults } = await openPage(browser)
    await signInOn(page, scene.url, NAMES.admin, SECRET)
    await page.locator('article h2 a').waitFor()
    const busy = page.locator('[aria-busy=true]')
    const drawn = async (): Promise<void> =>
      void (await until('the charts', async () => (await busy.count()) === 0, 300_000))
    const opened = await busyWhile(page, async () => {
      await page.locator('article h2 a').click()
      await page.locator('button[aria-label="Page 2 of clients"]').click()
      await page.locator('section:has(> * h2:text-is("Rounds")) canvas').first().waitFor()
      await drawn()
    })
    expect(opened.processor).toBeLessThan(2 * AIM_MS)
    const darkened = await busyWhile(page, async () => {
      await page.emulateMedia({ colorScheme: 'dark' })
      await drawn()
    })
    expect(darkened.processor).toBeLessThan(2 * AIM_MS)
    expect(faults).toEqual([])
    await context.close()
  })

  it('answers while its curves are still being computed, and draws each when it comes', async () => {
    const { page, context } = await openPage(browser)
    await signInOn(page, scene.url, NAMES.admin, SECRET)
    let relinquish = (): void => {}
    const held = new Promise<void>((resolve) => {
      relinquish = resolve
    })
    await page.route(/\/assets\/worker-.*\.js$/, async (route) => {
      await held
      await route.continue()
    })
    await page.locator('article h2 a').click()
    const table = page.getByRole('table', { name: 'Privacy spent per client' })
    await table.getByRole('link').first().waitFor()
    const before = await table.getByRole('link').first().textContent()
    await page.getByRole('button', { name: 'Page 3 of clients', exact: true }).click()
    await until('other clients', async () => (await table.getByRole('link').first().textContent()) !== before)
    const chart = page.getByRole('img', { name: /^Epsilon spent per round/ })
    expect(await chart.getAttribute('aria-busy')).toBe('true')
    relinquish()
    await until('the curves', async () => (await chart.getAttribute('aria-busy')) === 'false', 300_000)
    await context.close()
  })

  it('paints its heat-map in many shades, and says what is in the cell that is pointed at', async () => {
    const { page, context } = await openPage(browser)
    await signInOn(page, scene.url, NAMES.admin, SECRET)
    await page.locator('article h2 a').click()
    const map = page.getByRole('img', { name: 'Effective rank of 24 layers over 1000 rounds' })
    await until('the heat-map', async () => (await map.getAttribute('aria-busy')) === 'false', 300_000)
    await map.scrollIntoViewIfNeeded()
    const place = `document.querySelector('[aria-label^="Effective rank of 24"]')`
    const shades = await page.evaluate<number>(`(() => {
      const canvas = ${place}.querySelector('canvas')
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
      const colours = new Set()
      for (let at = 0; at < data.length; at += 4) colours.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2])
      return colours.size
    })()`)
    expect(shades).toBeGreaterThan(50)
    const picture = () =>
      page.evaluate<string>(`[...${place}.querySelectorAll('canvas')].map((c) => c.toDataURL()).join()`)
    const before = await picture()
    const { x, y, width, height } = (await map.boundingBox())!
    await page.mouse.move(x + width / 2, y + height / 3)
    await until('the words on the cell', async () => (await picture()) !== before)
    await page.mouse.move(x + width / 2, y - 5)
    await until('them to go', async () => (await picture()) === before)
    await context.close()
  })
})
