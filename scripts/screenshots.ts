/**
 * Takes the screenshots of the documentation from a real demo: `npm run screenshots`. Needs Chromium; takes as long as the
 * demo does. Pictures that would be larger than 200 kB fail it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { RunSnapshot } from '@fedsvd/core/protocol'
import type { Page } from 'playwright-core'
import { builtDashboard, openBrowser, openPage, signInOn } from '../apps/dashboard/test-kit/index.ts'
import { createOperator, get, SECRET, temporaryFolder, until } from '../apps/server/test-kit/index.ts'

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

await builtDashboard()
await mkdir(IMAGES, { recursive: true })
await using folder = await temporaryFolder()
const demo = spawn(
  'node',
  [path.join(ROOT, 'apps/cli/bin/fedsvd.mjs'), 'demo', '--dir', path.join(folder.path, 'demo')],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
  },
)
const ended = once(demo, 'close')
try {
  const { runId, url } = await announced(demo)
  const operatorToken = (await readFile(path.join(folder.path, 'demo/coordinator/operator.token'), 'utf8')).trim()
  await createOperator({ url, operatorToken }, 'ada', 'admin')
  console.log(`waiting for most of run ${runId}`)
  const run = await until('most of the run', () => mostOf(url, runId, operatorToken), DEMO_LIMIT_MS)
  const browser = await openBrowser()
  for (const { name, scheme, height, take } of PICTURES) {
    const { page, context } = await openPage(browser, { width: 1280, height, scheme })
    await signInOn(page, url, 'ada', SECRET)
    await take(page, run, url)
    const file = path.join(IMAGES, `${name}.png`)
    await page.screenshot({ path: file })
    const { size } = await stat(file)
    if (size > MOST_BYTES) throw new Error(`${file} has ${size} bytes; choose a smaller height`)
    console.log(`${file}: ${Math.round(size / 1000)} kB`)
    await context.close()
  }
  await browser.close()
} finally {
  demo.kill('SIGINT')
  await ended
}

async function announced(child: ChildProcess): Promise<{ runId: string; url: string }> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const [, runId, url] = /^run (\S+) at (\S+)/.exec(line) ?? []
    if (runId !== undefined && url !== undefined) {
      child.stdout!.resume()
      return { runId, url }
    }
  }
  throw new Error('the demo ended before its run began')
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
}
