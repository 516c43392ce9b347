/**
 * Takes the screenshots of the documentation from a real demo: `npm run screenshots`. Needs Chromium; takes as long as
 * the demo does. `npm run screenshots -- URL OPERATOR_TOKEN` takes them of the newest run of a coordinator that is
 * there already. Pictures that would be larger than 200 kB fail it.
 */
import { mkdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import type { OperatorView, RunSnapshot } from '../packages/core/src/protocol/index.ts'
import { openBrowser, openPage, signInOn, startDemo } from '../packages/testing/src/dashboard/index.ts'
import { createOperator, get, SECRET, temporaryFolder, until } from '../packages/testing/src/server/index.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const IMAGES = path.join(ROOT, 'docs', 'images')
const MOST_BYTES = 200_000
const DEMO_LIMIT_MS = 3_600_000

interface Picture {
  readonly name: string
  readonly scheme: 'light' | 'dark'
  readonly height: number
  readonly take: (page: Page, run: RunSnapshot, url: string) => Promise<void>
}

const PICTURES: readonly Picture[] = [
  {
    name: 'overview',
    scheme: 'light',
    height: 420,
    take: async (page) => {
      await page.getByRole('meter').first().waitFor()
    },
  },
  {
    name: 'run',
    scheme: 'light',
    height: 900,
    take: async (page, { runId }, url) => {
      await page.goto(`${url}/runs/${runId}`)
      await page.getByRole('region', { name: 'Controls' }).waitFor()
      await settled(page)
    },
  },
  {
    name: 'client',
    scheme: 'dark',
    height: 900,
    take: async (page, { clients }, url) => {
      await page.goto(`${url}/clients/${clients[0]!.clientId}`)
      await page.getByRole('table', { name: /^Ledger events/ }).waitFor()
      await settled(page)
    },
  },
  {
    name: 'what-if',
    scheme: 'light',
    height: 760,
    take: async (page, _run, url) => {
      await page.goto(`${url}/what-if`)
      await settled(page)
    },
  },
]

interface Shown {
  readonly url: string
  readonly operatorToken: string
  readonly run: RunSnapshot
}

await mkdir(IMAGES, { recursive: true })
const [givenUrl, givenToken] = process.argv.slice(2)
if (givenUrl !== undefined && givenToken !== undefined) {
  const { runs } = await get<{ runs: readonly RunSnapshot[] }>(givenUrl, '/v1/runs', givenToken)
  await takeAll({ url: givenUrl, operatorToken: givenToken, run: runs[0]! })
} else await withDemo(takeAll)

async function takeAll({ url, operatorToken, run }: Shown): Promise<void> {
  const name = 'ada'
  const known = await get<{ operators: readonly OperatorView[] }>(url, '/v1/operators', operatorToken)
  if (!known.operators.some((operator) => operator.name === name)) {
    await createOperator({ url, operatorToken }, name, 'admin')
  }
  const browser = await openBrowser()
  for (const picture of PICTURES) {
    const { scheme, height, take } = picture
    const { page, context } = await openPage(browser, { width: 1280, height, scheme })
    await signInOn(page, url, name, SECRET)
    await take(page, run, url)
    const file = path.join(IMAGES, `${picture.name}.png`)
    await page.screenshot({ path: file })
    const { size } = await stat(file)
    if (size > MOST_BYTES) throw new Error(`${file} has ${size} bytes; choose a smaller height`)
    console.log(`${file}: ${Math.round(size / 1000)} kB`)
    await context.close()
  }
  await browser.close()
}

/** A demo that ends when its pictures are taken. */
async function withDemo(show: (shown: Shown) => Promise<void>): Promise<void> {
  await using folder = await temporaryFolder()
  await using demo = await startDemo(path.join(folder.path, 'demo'))
  const { url, runId, operatorToken } = demo
  console.log(`waiting for most of run ${runId}`)
  const run = await until('most of the run', () => mostOf(url, runId, operatorToken), DEMO_LIMIT_MS)
  await show({ url, operatorToken, run })
}

/** When two thirds of the rounds are measured, there is something to see, and something still to come. */
async function mostOf(url: string, runId: string, token: string): Promise<RunSnapshot | undefined> {
  const run = await get<RunSnapshot>(url, `/v1/runs/${runId}`, token)
  const measured = run.rounds.filter(({ evaluation }) => evaluation !== undefined).length
  return measured >= (2 * run.manifest.rounds) / 3 ? run : undefined
}

async function settled(page: Page): Promise<void> {
  const busy = page.getByText(/^(Loading|Computing|computing)/)
  await until('the page to settle', async () => (await busy.count()) === 0, 120_000)
  const drawing = page.locator('[aria-busy=true]')
  await until('the charts to be drawn', async () => (await drawing.count()) === 0, 120_000)
}
