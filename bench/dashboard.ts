/**
 * How soon the dashboard answers: `npm run bench:dashboard`. A run of 200 clients and 1,000 rounds is opened in
 * Chromium and used while its curves still come in, and again when they are all there. Printed is, for each thing that
 * an operator does, how long the page's main thread was busy without a pause, and how long an input took to show. `npm
 * run bench:dashboard -- FOLDER` does it with another build of the dashboard.
 */
import { loadavg } from 'node:os'
import type { Page } from 'playwright-core'
import {
  busyWhile,
  NAMES,
  openBrowser,
  openPage,
  openScene,
  seedBigRun,
  signInOn,
} from '../packages/testing/src/dashboard/index.ts'
import { SECRET, until } from '../packages/testing/src/server/index.ts'

const PATIENCE_MS = 600_000

const [dashboardFolder] = process.argv.slice(2)
await using scene = await openScene({ clients: [], ...(dashboardFolder && { parts: { dashboardFolder } }) })
await seedBigRun(scene, { clients: 200, rounds: 1000, perRound: 10 })
const browser = await openBrowser()
try {
  const { page } = await openPage(browser)
  await signInOn(page, scene.url, NAMES.admin, SECRET)
  const rows: object[] = []
  for (const [what, act] of deeds(page)) rows.push({ what, ...(await busyWhile(page, act)) })
  console.table(rows)
  console.log(
    'load',
    loadavg()
      .map((load) => load.toFixed(1))
      .join(' '),
  )
} finally {
  await browser.close()
}

type Deed = readonly [what: string, act: () => Promise<void>]

function deeds(page: Page): readonly Deed[] {
  // By selectors of CSS: asking for roles walks through the page, and would count as the page's own work.
  const region = (name: string) => page.locator(`section:has(> * h2:text-is("${name}"))`)
  const shown = () => page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
  const drawn = async (): Promise<void> => {
    const busy = page.locator('[aria-busy=true]')
    await until('the charts', async () => (await busy.count()) === 0, PATIENCE_MS)
    await shown()
  }
  const turnTo = async (place: number, of: string): Promise<void> => {
    await page.locator(`button[aria-label="Page ${place} of ${of}"]`).click()
    await shown()
  }
  const pointAndZoom = (name: string): Deed => [
    `zoom and point: ${name}`,
    async () => {
      const canvas = region(name).locator('canvas').first()
      await canvas.scrollIntoViewIfNeeded()
      const { x, y, width, height } = (await canvas.boundingBox())!
      await page.mouse.move(x + width / 2, y + height / 2)
      await page.keyboard.down('Control')
      for (const delta of [-120, -120, -120, -120, 120, 120, 120, 120]) {
        await page.mouse.wheel(0, delta)
        await shown()
      }
      await page.keyboard.up('Control')
      for (let step = 1; step < 8; step += 1) {
        await page.mouse.move(x + (width * step) / 8, y + height / 2)
        await shown()
      }
    },
  ]
  return [
    ['overview', async () => await page.locator('article h2 a').waitFor()],
    [
      'the run opens',
      async () => {
        await page.locator('article h2 a').click()
        await region('Rounds').locator('canvas').first().waitFor()
      },
    ],
    [
      'pages of clients while curves come in',
      async () => {
        for (const place of [2, 3, 4]) await turnTo(place, 'clients')
      },
    ],
    ['the rest of the curves', drawn],
    [
      'another client is drawn',
      async () => {
        await region('Privacy spent').locator('select').selectOption({ index: 7 })
        await drawn()
      },
    ],
    [
      'pages of rounds',
      async () => {
        for (const place of [2, 3, 1]) await turnTo(place, 'rounds')
      },
    ],
    [
      'layers of the spectrum',
      async () => {
        for (const index of [1, 5, 0]) {
          await region('Singular spectrum').locator('select').selectOption({ index })
          await drawn()
        }
      },
    ],
    ...['Privacy spent', 'Accuracy and loss', 'Singular spectrum', 'Rounds'].map(pointAndZoom),
    [
      'a narrower window',
      async () => {
        await page.setViewportSize({ width: 1000, height: 900 })
        await drawn()
      },
    ],
    [
      'dark',
      async () => {
        await page.emulateMedia({ colorScheme: 'dark' })
        await drawn()
      },
    ],
  ]
}
