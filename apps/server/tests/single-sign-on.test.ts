import { describe, expect, it } from 'vitest'
import type { AuditEntry, OperatorView, SessionInfo } from '../../../packages/core/src/protocol/index.ts'
import { call, createOperator, signInByCookie } from '../../../packages/testing/src/server/index.ts'
import { become, TinyBrowser } from '../../../packages/testing/src/server/oidc-double.ts'
import { coordinatorWithProvider } from '../../../packages/testing/src/server/single-sign-on.ts'
import { startCoordinator } from '../src/index.ts'

async function signIn(url: string, browser = new TinyBrowser()) {
  const end = await browser.open(`${url}/v1/oidc/start`, ({ origin, pathname }) => origin === url && pathname === '/')
  const cookie = browser.cookieFor(url)
  const session = await call(url, 'GET /v1/session', { cookie })
  return { end: end.url.href, browser, cookie, session: session.body as SessionInfo, status: session.status }
}

describe('signing in by an OpenID provider', () => {
  it('makes an operator of the role that the claims give, and follows them at each sign-in', async () => {
    await using there = await coordinatorWithProvider()
    const { url, provider, coordinator } = there
    const options = await call(url, 'GET /v1/sign-in-options')
    expect(options.body).toEqual({ provider: { label: 'the clinic' } })
    become(provider, '17', { preferred_username: 'ada', roles: ['staff', 'other'] })
    const first = await signIn(url)
    expect(first).toMatchObject({ end: `${url}/`, status: 200, session: { role: 'operator' } })
    expect(first.session.operator).toMatchObject({ name: 'ada', byProvider: true })
    expect(first.cookie).toMatch(/^fedsvd-session=[\w-]{43}$/) // what was under way is forgotten
    provider.accounts.set('17', { preferred_username: 'ada', roles: ['revision'] })
    const second = await signIn(url)
    expect(second.session.operator).toEqual(first.session.operator)
    expect(second.cookie).not.toBe(first.cookie)
    // the session of before may do no more than the new one
    for (const { cookie } of [first, second])
      expect((await call(url, 'GET /v1/session', { cookie })).body).toMatchObject({ role: 'auditor' })
    const { entries } = (await call(url, 'GET /v1/audit-log', { bearer: coordinator.operatorToken })).body as {
      entries: AuditEntry[]
    }
    const by = provider.issuer
    expect(entries.map(({ action, detail }) => [action, detail])).toEqual([
      ['operator.create', { name: 'ada', role: 'operator', by }],
      ['session.begin', { by }],
      ['operator.role', { from: 'operator', to: 'auditor', by }],
      ['session.begin', { by }],
    ])
    const { csrfToken } = second.session
    expect((await call(url, 'DELETE /v1/session', { cookie: second.cookie, csrfToken })).status).toBe(204)
    expect((await call(url, 'GET /v1/session', { cookie: second.cookie })).status).toBe(401)
    const out = await second.browser.open(`${url}/v1/oidc/sign-out`, (at) => at.pathname.startsWith('/session/end'))
    expect(out.url.searchParams.get('post_logout_redirect_uri')).toBe(`${url}/`)
  })

  it('lets nobody in without a role, nobody who is disabled, and nobody as somebody else of the same name', async () => {
    await using there = await coordinatorWithProvider()
    const { url, provider, coordinator } = there
    const local = await createOperator(coordinator, 'ada', 'admin')
    become(provider, '1', { preferred_username: 'mallory', roles: ['visitors'] })
    expect(await signIn(url)).toMatchObject({ end: `${url}/?sign-in=refused`, status: 401 })
    become(provider, '2', { preferred_username: 'ada', roles: 'staff' })
    const namesake = await signIn(url)
    expect(namesake.session).toMatchObject({
      role: 'operator',
      operator: { name: expect.stringMatching(/^ada-\w{8}$/) },
    })
    const { id } = namesake.session.operator!
    expect(id).not.toBe(local.id)
    const bearer = coordinator.operatorToken
    // no secret opens an operator of the provider
    for (const secret of ['', 'x'.repeat(43)]) {
      const { status } = await call(url, 'POST /v1/session', {}, { name: namesake.session.operator!.name, secret })
      expect(status).toBeGreaterThanOrEqual(400)
    }
    expect((await call(url, `POST /v1/operators/${id}/disable`, { bearer })).status).toBe(200)
    expect((await call(url, 'GET /v1/session', { cookie: namesake.cookie })).status).toBe(401)
    expect(await signIn(url)).toMatchObject({ end: `${url}/?sign-in=refused`, status: 401 })
    const { operators } = (await call(url, 'GET /v1/operators', { bearer })).body as { operators: OperatorView[] }
    expect(operators.map(({ byProvider = false }) => byProvider)).toEqual([false, true])
  })

  it('asks the user-info endpoint for what the ID token does not have', async () => {
    await using there = await coordinatorWithProvider({ claimsIn: 'user-info' })
    become(there.provider, '17', { preferred_username: 'ada', roles: ['admins'] })
    expect((await signIn(there.url)).session).toMatchObject({ role: 'admin', operator: { name: 'ada' } })
  })

  it('takes no answer that this browser did not ask for, and sends nobody elsewhere', async () => {
    await using there = await coordinatorWithProvider()
    const { url, provider } = there
    become(provider, '17', { preferred_username: 'ada', roles: ['admins'] })
    const attacker = new TinyBrowser()
    const isCallback = ({ pathname }: URL): boolean => pathname === '/v1/oidc/callback'
    const { url: callback } = await attacker.open(`${url}/v1/oidc/start`, isCallback)
    const victim = new TinyBrowser()
    const home = ({ origin, pathname }: URL): boolean => origin === url && pathname === '/'
    // one that has begun nothing, and one that has begun another sign-in
    expect((await victim.open(callback.href, home)).url.search).toBe('?sign-in=expired')
    await victim.open(`${url}/v1/oidc/start`, isCallback)
    expect((await victim.open(callback.href, home)).url.search).toBe('?sign-in=unavailable')
    expect(victim.cookieFor(url)).toBe('')
    for (const query of [
      '',
      '?state=x',
      '?code=1&state=2',
      '?error=access_denied',
      '?return=https://elsewhere.example',
    ]) {
      const browser = new TinyBrowser()
      await browser.open(`${url}/v1/oidc/start`, isCallback)
      const { url: end } = await browser.open(`${url}/v1/oidc/callback${query}`, home)
      expect(`${end.origin}${end.pathname}`).toBe(`${url}/`)
      expect(browser.cookieFor(url)).toBe('')
    }
    expect((await call(url, 'GET /v1/oidc/start?return=https://elsewhere.example')).status).toBe(400)
    // it is good for the browser that asked, once
    expect((await attacker.open(callback.href, home)).url.search).toBe('')
    expect((await attacker.open(callback.href, home)).url.search).toBe('?sign-in=expired')
  })

  it('that is away keeps no coordinator from its start and nobody with a secret out, and is found when it is back', async () => {
    await using there = await coordinatorWithProvider()
    const { url, provider, coordinator } = there
    provider.isUp = false
    expect((await signIn(url)).end).toBe(`${url}/?sign-in=unavailable`)
    await createOperator(coordinator, 'grace', 'operator')
    const { cookie } = await signInByCookie(url, 'grace')
    expect((await call(url, 'GET /v1/session', { cookie })).status).toBe(200)
    provider.isUp = true
    become(provider, '17', { preferred_username: 'ada', roles: ['admins'] })
    there.clock.advance(5000)
    expect((await signIn(url)).status).toBe(200)
  })
})

describe('the settings of a provider', () => {
  it('are given together', async () => {
    const starting = startCoordinator({ port: 0, oidcIssuer: 'https://login.example', logLevel: 'silent' })
    await expect(starting).rejects.toThrow(
      /CONFIG_INVALID.*no FEDSVD_OIDC_CLIENT_ID and no FEDSVD_OIDC_ROLES and no FEDSVD_PUBLIC_URL/,
    )
  })

  it('send no code over plain HTTP to another machine', async () => {
    const starting = startCoordinator({ port: 0, oidcIssuer: 'http://login.example', logLevel: 'silent' })
    await expect(starting).rejects.toThrow(/CONFIG_INVALID.*expected https/)
  })
})
