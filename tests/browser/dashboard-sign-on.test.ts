import { expect, it } from 'vitest'
import { builtDashboard } from '../../packages/testing/src/dashboard/built.ts'
import { CHROMIUM, HOW_TO_GET_CHROMIUM, openBrowser, openPage } from '../../packages/testing/src/dashboard/index.ts'
import { become } from '../../packages/testing/src/server/oidc-double.ts'
import { coordinatorWithProvider } from '../../packages/testing/src/server/single-sign-on.ts'

if (CHROMIUM === undefined) console.warn(`skipped: ${HOW_TO_GET_CHROMIUM}`)

it.skipIf(CHROMIUM === undefined)(
  'leads to the provider and back, says why somebody is not let in, and ends the session there, too',
  { timeout: 600_000 },
  async () => {
    await using there = await coordinatorWithProvider({ parts: { dashboardFolder: await builtDashboard() } })
    const { url, provider } = there
    await using browser = await openBrowser()
    const { page, faults } = await openPage(browser)
    const button = page.getByRole('link', { name: 'Sign in with the clinic' })
    become(provider, '1', { preferred_username: 'mallory', roles: ['visitors'] })
    await page.goto(url)
    await button.click()
    await page.getByRole('alert').getByText('You were not signed in').waitFor()
    await page.context().clearCookies() // the provider asks anew
    become(provider, '2', { preferred_username: 'ada', roles: ['admins'] })
    await button.click()
    await page.getByRole('button', { name: 'Sign out' }).waitFor()
    await page.getByText('ada').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL((address) => address.origin === provider.issuer && address.pathname === '/session/end')
    await page.goto(url)
    await button.waitFor()
    expect(faults).toEqual([])
  },
)
