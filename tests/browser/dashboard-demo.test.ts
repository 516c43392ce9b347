import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  builtDashboard,
  CHROMIUM,
  type Demo,
  HOW_TO_GET_CHROMIUM,
  openBrowser,
  openPage,
  reopenDemo,
  signInOn,
  startDemo,
} from '../../packages/testing/src/dashboard/index.ts'
import { createOperator, SECRET, temporaryFolder } from '../../packages/testing/src/server/index.ts'

/*
 * The dashboard before the quick demo: a coordinator, three clients that train a real encoder on real mail with real
 * noise, each a process of its own. What is shown is held against what the demo says of itself, and against the
 * clients' ledgers.
 */
if (CHROMIUM === undefined) console.warn(`skipped: ${HOW_TO_GET_CHROMIUM}`)

const FEDSVD = fileURLToPath(new URL('../../apps/cli/bin/fedsvd.mjs', import.meta.url))

/** Half a minute, unless other work wants the cores as well. */
const TRAINING_MS = 500_000

interface Summary {
  readonly accuracy: number
  readonly majority: number
  readonly clients: readonly { readonly name: string; readonly epsilon: number; readonly budget: number }[]
}

describe.skipIf(CHROMIUM === undefined)('the quick demo in the dashboard', { timeout: 600_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let browser: Browser
  let demo: Demo
  let page: Page
  const dir = () => path.join(folder.path, 'demo')
  const summaryFile = () => path.join(folder.path, 'summary.json')

  beforeAll(async () => {
    folder = await temporaryFolder()
    await builtDashboard()
    demo = await startDemo(dir(), ['--quick', '--json', summaryFile()])
    browser = await openBrowser()
    await createOperator(demo, 'ada', 'admin')
    page = (await openPage(browser)).page
    await signInOn(page, demo.url, 'ada', SECRET)
  }, 600_000)
  afterAll(async () => {
    await browser?.close()
    await demo?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  it('is seen from its beginning to its end without a reload', async () => {
    await page.evaluate('window.isTheSamePage = true')
    await page.getByRole('link', { name: 'demo (quick)' }).click()
    for (const name of ['open-source', 'community', 'newsdesk']) {
      await page.getByRole('table', { name: 'Privacy spent per client' }).getByRole('row', { name }).waitFor()
    }
    await page.getByText('2 of 2', { exact: true }).waitFor({ timeout: TRAINING_MS })
    await page.locator('h1 + .state-word', { hasText: 'completed' }).waitFor({ timeout: TRAINING_MS })
    expect(await page.evaluate('window.isTheSamePage')).toBe(true)
    expect(await demo.ended).toBe(0)
  })

  it('left behind what the page shows of it afterwards: accuracy, and what each client has spent of its budget', async () => {
    const summary = JSON.parse(await readFile(summaryFile(), 'utf8')) as Summary
    await using again = await reopenDemo(dir())
    const { page: later, context, faults } = await openPage(browser)
    await signInOn(later, again.url, 'ada', SECRET)
    await later.goto(`${again.url}/runs/${demo.runId}`)
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`
    await later.getByText(percent(summary.accuracy), { exact: true }).first().waitFor()
    await later
      .getByText(`majority-class baseline ${percent(summary.majority)}`)
      .first()
      .waitFor()
    expect(summary.clients).toHaveLength(3)
    for (const { name, epsilon, budget } of summary.clients) {
      const shown = `≤ ${(Math.ceil(1000 * epsilon) / 1000).toFixed(3)}`
      const row = later.getByRole('table', { name: 'Privacy spent per client' }).getByRole('row', { name })
      await row.getByText(shown, { exact: true }).waitFor()
      const cells = await row.getByRole('cell').allTextContents()
      expect(cells.slice(0, 5)).toEqual([name, shown, String(budget), '–', '1e−5'])
      expect(await ownEpsilon(path.join(dir(), name))).toBeCloseTo(epsilon, 9)
    }
    for (const { name, epsilon } of summary.clients) {
      await later.goto(`${again.url}/clients`)
      await later.getByRole('link', { name, exact: true }).click()
      await later
        .getByText("2 events counted here, 2 of them reported from the client's own ledger. They agree.")
        .waitFor()
      const events = later.getByRole('table', { name: 'Ledger events of demo (quick)' }).getByRole('row')
      // The page's accountant grows event by event; both are upper bounds, and differ by less than 1e-4 before rounding
      // up.
      const shown = [-1e-4, 0, 1e-4].map((more) => (Math.ceil(1000 * (epsilon + more)) / 1000).toFixed(3))
      await events
        .nth(1)
        .getByText(new RegExp(`^≤ (${shown.join('|')})$`))
        .waitFor()
      expect(await events.count()).toBe(3)
    }
    expect(faults).toEqual([])
    await context.close()
  })
})

/** What the client's own ledger says, in the words of `fedsvd ledger show`. */
async function ownEpsilon(stateDir: string): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    FEDSVD,
    'ledger',
    'show',
    '--state-dir',
    stateDir,
    '--json',
  ])
  return (JSON.parse(stdout) as { readonly epsilonPld: number }).epsilonPld
}
