import { identityOfClaims, type ProvidedIdentity } from './identity-of-claims.ts'
import type { OidcProvider } from './provider.ts'
import type { RoleRules } from './role-of-claims.ts'
import type { AttemptSeal } from './sealed-attempt.ts'

export interface SingleSignOnParts {
  readonly provider: OidcProvider
  readonly seal: AttemptSeal
  readonly issuer: string
  /** What the button on the sign-in page says. */
  readonly label: string
  readonly publicUrl: string
  readonly nameClaim: string
  readonly rules: RoleRules
  readonly now: () => number
}

/** Signing in by a provider, from the button to who somebody is. */
export class SingleSignOn {
  readonly label: string
  readonly publicUrl: string
  readonly #parts: SingleSignOnParts

  constructor(parts: SingleSignOnParts) {
    this.#parts = parts
    this.label = parts.label
    this.publicUrl = parts.publicUrl
  }

  /** Where to send a browser, and the cookie that it has to bring back. */
  async begin(): Promise<{ readonly url: string; readonly sealed: string }> {
    const { url, attempt } = await this.#parts.provider.begin()
    return { url, sealed: this.#parts.seal.seal(attempt) }
  }

  /**
   * Who came back. Undefined where this browser has begun nothing, or too long ago, and where the provider names
   * nobody.
   *
   * @throws where the answer is not one to what this browser has begun
   */
  async finish(query: string, sealed: string | undefined): Promise<ProvidedIdentity | undefined> {
    const { provider, seal, now } = this.#parts
    const attempt = sealed === undefined ? undefined : seal.open(sealed, now())
    if (attempt === undefined) return undefined
    return identityOfClaims(await provider.finish(query, attempt), this.#parts)
  }

  endSessionUrl(): Promise<string | undefined> {
    return this.#parts.provider.endSessionUrl()
  }
}
