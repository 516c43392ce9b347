import { fetchByEnvironment } from '@fedsvd/engine/network'
import * as client from 'openid-client'
import { type Claims, claimIn } from './role-of-claims.ts'
import { ATTEMPT_LIFETIME_MS, type SignInAttempt } from './sealed-attempt.ts'

/** How long the provider may take for one answer. */
const TIMEOUT_SECONDS = 10
/** How much its clock may differ from ours. */
const CLOCK_TOLERANCE_SECONDS = 60
/** Its metadata is read anew after so long, */
const METADATA_LIFETIME_MS = 3_600_000
/** and where it could not be read, not before this. */
const FAILURE_LIFETIME_MS = 5000

export interface OidcSettings {
  readonly issuer: string
  readonly clientId: string
  /** Absent for a public client, which PKCE alone protects. */
  readonly clientSecret?: string | undefined
  readonly scopes: string
  /** Where browsers reach the coordinator, without a slash at the end. */
  readonly publicUrl: string
  /** Claims that are looked for in the answer of the user-info endpoint where the ID token has them not. */
  readonly wantedClaims: readonly string[]
  readonly now: () => number
}

export const CALLBACK_PATH = '/v1/oidc/callback'

/**
 * An OpenID provider: authorization code with PKCE, state and nonce. Nothing is asked of it before somebody signs in.
 */
export class OidcProvider {
  readonly #settings: OidcSettings
  #known: { readonly configuration: Promise<client.Configuration>; readonly until: number } | undefined

  constructor(settings: OidcSettings) {
    this.#settings = settings
  }

  /** Where to send a browser, and what it has to bring back. @throws while the provider does not answer */
  async begin(): Promise<{ readonly url: string; readonly attempt: SignInAttempt }> {
    const { scopes, publicUrl, now } = this.#settings
    const configuration = await this.#configuration()
    const [state, nonce] = [client.randomState(), client.randomNonce()]
    const codeVerifier = client.randomPKCECodeVerifier()
    const url = client.buildAuthorizationUrl(configuration, {
      redirect_uri: `${publicUrl}${CALLBACK_PATH}`,
      scope: scopes,
      state,
      nonce,
      code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: 'S256',
    })
    return { url: url.href, attempt: { state, nonce, codeVerifier, expiresAt: now() + ATTEMPT_LIFETIME_MS } }
  }

  /**
   * The claims of the person who comes back: of an ID token whose signature, issuer, audience, times and nonce are
   * right, for a code that this attempt asked for.
   *
   * @param query of the address that the browser came back to
   * @throws where anything of it is not right, or the provider does not answer
   */
  async finish(
    query: string,
    { state, nonce, codeVerifier }: SignInAttempt,
  ): Promise<Claims & { readonly sub: string }> {
    const { publicUrl, wantedClaims } = this.#settings
    const configuration = await this.#configuration()
    const tokens = await client.authorizationCodeGrant(
      configuration,
      new URL(`${publicUrl}${CALLBACK_PATH}?${query}`),
      {
        pkceCodeVerifier: codeVerifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      },
    )
    const claims = tokens.claims()!
    const isComplete = wantedClaims.every((name) => claimIn(claims, name) !== undefined)
    if (isComplete || configuration.serverMetadata().userinfo_endpoint === undefined) return claims
    const more = await client.fetchUserInfo(configuration, tokens.access_token, claims.sub)
    return { ...more, ...claims }
  }

  /** Where a browser ends the session that it has with the provider; undefined where there is no such place. */
  async endSessionUrl(): Promise<string | undefined> {
    const { publicUrl } = this.#settings
    const configuration = await this.#configuration()
    if (configuration.serverMetadata().end_session_endpoint === undefined) return undefined
    return client.buildEndSessionUrl(configuration, { post_logout_redirect_uri: `${publicUrl}/` }).href
  }

  /** Asked for once by however many sign in at a time. */
  #configuration(): Promise<client.Configuration> {
    const { now } = this.#settings
    if (this.#known !== undefined && this.#known.until > now()) return this.#known.configuration
    const configuration = this.#discover()
    this.#known = { configuration, until: now() + METADATA_LIFETIME_MS }
    configuration.catch(() => {
      this.#known = { configuration, until: now() + FAILURE_LIFETIME_MS }
    })
    return configuration
  }

  #discover(): Promise<client.Configuration> {
    const { issuer, clientId, clientSecret } = this.#settings
    const address = new URL(issuer)
    const metadata = { [client.clockTolerance]: CLOCK_TOLERANCE_SECONDS }
    const authentication = clientSecret === undefined ? client.None() : client.ClientSecretBasic(clientSecret)
    // Plain HTTP is for a provider on this very machine; the settings let no other be named.
    const insecure = address.protocol === 'http:' ? [client.allowInsecureRequests] : []
    return client.discovery(address, clientId, metadata, authentication, {
      execute: [client.enableNonRepudiationChecks, ...insecure],
      timeout: TIMEOUT_SECONDS,
      [client.customFetch]: fetchByEnvironment() as client.CustomFetch,
    })
  }
}
