import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Provider } from 'oidc-provider'

export const OIDC_CLIENT = { id: 'fedsvd', secret: 'a secret of the coordinator at its provider' }

export interface OidcDouble extends AsyncDisposable {
  readonly issuer: string
  /** Who signs in next at the provider, and with which claims. */
  readonly accounts: Map<string, Readonly<Record<string, unknown>>>
  user: string
  /** False while it answers nothing but 503. */
  isUp: boolean
}

/**
 * A real OpenID provider on loopback, whose user consents to everything at once.
 *
 * @param claimsIn where claims beside `sub` are: in the ID token, or at the user-info endpoint alone
 */
export async function oidcDouble(
  coordinator: string,
  claimsIn: 'id-token' | 'user-info' = 'id-token',
): Promise<OidcDouble> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const double: OidcDouble = {
    issuer,
    accounts: new Map(),
    user: 'nobody',
    isUp: true,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: OIDC_CLIENT.id,
        client_secret: OIDC_CLIENT.secret,
        redirect_uris: [`${coordinator}/v1/oidc/callback`],
        post_logout_redirect_uris: [`${coordinator}/`],
      },
    ],
    pkce: { required: () => true },
    claims: { profile: ['preferred_username', 'roles', 'groups'] },
    conformIdTokenClaims: claimsIn === 'user-info',
    features: { devInteractions: { enabled: false } },
    cookies: { keys: ['of this test'] },
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    findAccount: (_context, sub) => ({
      accountId: sub,
      claims: () => ({ sub, ...double.accounts.get(sub) }),
    }),
    async loadExistingGrant(context) {
      const grant = new context.oidc.provider.Grant({
        clientId: context.oidc.client!.clientId,
        accountId: context.oidc.session!.accountId!,
      })
      grant.addOIDCScope('openid profile')
      await grant.save()
      return grant
    },
  })
  const answer = provider.callback()
  server.on('request', (request, response) => {
    if (!double.isUp) response.writeHead(503).end()
    else if (request.url!.startsWith('/interaction/'))
      void provider.interactionFinished(request, response, { login: { accountId: double.user } })
    else void answer(request, response)
  })
  return double
}

/** Who signs in next at the provider. */
export function become(provider: OidcDouble, user: string, claims: Readonly<Record<string, unknown>>): void {
  provider.user = user
  provider.accounts.set(user, claims)
}

/** A browser: cookies by origin, and one redirect after the other. */
export class TinyBrowser {
  readonly cookies = new Map<string, Map<string, string>>()

  /** Follows redirects for as long as they lead on, and says where it ended. */
  async open(address: string, stopAt: (url: URL) => boolean = () => false): Promise<{ url: URL; status: number }> {
    let url = new URL(address)
    for (let redirects = 0; redirects < 20; redirects += 1) {
      if (stopAt(url)) return { url, status: 0 }
      const reply = await fetch(url, { redirect: 'manual', headers: { cookie: this.cookieFor(url.origin) } })
      await reply.arrayBuffer()
      for (const line of reply.headers.getSetCookie()) this.#keep(url.origin, line)
      const location = reply.headers.get('location')
      if (location === null) return { url, status: reply.status }
      url = new URL(location, url)
    }
    throw new Error('more than 20 redirects')
  }

  cookieFor(origin: string): string {
    return Array.from(this.cookies.get(origin) ?? [], ([name, value]) => `${name}=${value}`).join('; ')
  }

  #keep(origin: string, line: string): void {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
    const jar = this.cookies.get(origin) ?? new Map<string, string>()
    this.cookies.set(origin, jar)
    if (/expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(name!)
    else jar.set(name!, value!)
  }
}
