import { existsSync } from 'node:fs'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

/** Where Debian and others put it; `FEDSVD_CHROMIUM` names another one. */
const PLACES = [process.env.FEDSVD_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

export const CHROMIUM = PLACES.find((place) => place !== undefined && place !== '' && existsSync(place))

export const HOW_TO_GET_CHROMIUM =
  'no Chromium here: install it (Debian: apt-get install chromium) or name one in FEDSVD_CHROMIUM'

const ARGUMENTS = [
  '--no-sandbox', // in containers tests run as root, and load nothing but this coordinator's own page
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** A browser with a profile of its own that is gone with it. */
export async function openBrowser(): Promise<Browser> {
  if (CHROMIUM === undefined) throw new Error(HOW_TO_GET_CHROMIUM)
  return await chromium.launch({ executablePath: CHROMIUM, headless: true, args: ARGUMENTS })
}

export interface PageOptions {
  readonly width?: number
  readonly height?: number
  readonly scheme?: 'light' | 'dark'
}

/** A page in a session of its own that remembers what went wrong on it. */
export interface WatchedPage {
  readonly page: Page
  readonly context: BrowserContext
  /** Uncaught errors and complaints of the console, breaches of the content policy among them. */
  readonly faults: string[]
}

/** How long anything may take, on a machine that is busy with other tests. */
export const PATIENCE_MS = 180_000

/** Refusals that a test provokes are reported by the browser as well; they are the page's to show, not faults of it. */
const EXPECTED = /Failed to load resource|WebSocket connection to|net::ERR_/

export async function openPage(browser: Browser, options: PageOptions = {}): Promise<WatchedPage> {
  const { width = 1440, height = 900, scheme = 'light' } = options
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme })
  context.setDefaultTimeout(PATIENCE_MS)
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error' && !EXPECTED.test(message.text())) faults.push(message.text())
  })
  return { page, context, faults }
}

/** By name and secret, on the sign-in page. */
export async function signInOn(page: Page, url: string, name: string, secret: string): Promise<void> {
  await page.goto(url)
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('Secret').fill(secret)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.getByRole('button', { name: 'Sign out' }).waitFor({ state: 'attached' })
}
