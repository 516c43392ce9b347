import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { OidcProvider } from './provider.ts'

/*
 * A provider whose token endpoint answers with whatever a case says: what a provider's neighbour, a broken one or one
 * with a wrong clock could send. The real one is in apps/server/tests/single-sign-on.test.ts.
 */

const CLIENT = 'fedsvd'
const [keys, foreign] = await Promise.all([generateKeyPair('RS256'), generateKeyPair('RS256')])
const server = createServer()
let issuer = ''
let idToken = ''

beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: '1', alg: 'RS256' }
  const documents: Readonly<Record<string, () => object>> = {
    '/.well-known/openid-configuration': () => ({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/keys`,
      id_token_signing_alg_values_supported: ['RS256'],
    }),
    '/keys': () => ({ keys: [jwk] }),
    '/token': () => ({ access_token: 'a', token_type: 'Bearer', id_token: idToken }),
  }
  server.on('request', (request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(documents[request.url!]!()))
  })
})
afterAll(() => {
  server.close()
  server.closeAllConnections()
})

const seconds = (): number => Math.floor(Date.now() / 1000)
const good = (nonce: string) => ({ iss: issuer, aud: CLIENT, sub: '17', nonce, iat: seconds(), exp: seconds() + 60 })
type Claims = ReturnType<typeof good>
type SigningKey = typeof keys.privateKey | 'none'

/** The claims that come of a token with these changes, signed with this key. */
async function claimsOf(changes: (claims: Claims) => object, key: SigningKey = keys.privateKey) {
  const settings = { issuer, clientId: CLIENT, scopes: 'openid', publicUrl: 'https://fedsvd.example' }
  const provider = new OidcProvider({ ...settings, wantedClaims: [], now: () => Date.now() })
  const { url, attempt } = await provider.begin()
  const asked = new URL(url).searchParams
  expect(asked.get('code_challenge_method')).toBe('S256')
  expect(asked.get('redirect_uri')).toBe('https://fedsvd.example/v1/oidc/callback')
  const claims = changes(good(attempt.nonce)) as Record<string, unknown>
  idToken =
    key === 'none'
      ? new UnsecuredJWT(claims).encode()
      : await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: '1' }).sign(key)
  return await provider.finish(`code=1&state=${attempt.state}`, attempt)
}

describe('an ID token', () => {
  it('of a person is taken, also where the clock of the provider is half a minute off', async () => {
    expect(await claimsOf((claims) => claims)).toMatchObject({ sub: '17' })
    expect(await claimsOf((claims) => ({ ...claims, exp: seconds() - 30 }))).toMatchObject({ sub: '17' })
    expect(await claimsOf((claims) => ({ ...claims, iat: seconds() + 30 }))).toMatchObject({ sub: '17' })
  })

  it.each<[string, (claims: Claims) => object, SigningKey?]>([
    ['of another sign-in', (claims) => ({ ...claims, nonce: 'another' })],
    ['without a nonce', (claims) => ({ ...claims, nonce: undefined })],
    ['for another audience', (claims) => ({ ...claims, aud: 'another' })],
    ['of another issuer', (claims) => ({ ...claims, iss: 'https://login.example' })],
    ['that has expired', (claims) => ({ ...claims, exp: seconds() - 600 })],
    ['without a subject', (claims) => ({ ...claims, sub: undefined })],
    ['with the signature of another key', (claims) => claims, foreign.privateKey],
    ['without a signature', (claims) => claims, 'none'],
  ])('%s is refused', async (_, changes, key) => {
    await expect(claimsOf(changes, key)).rejects.toThrow()
  })
})
