import { FedsvdError } from '@fedsvd/core/errors'
import { type CoordinatorConfig, type NameOfSetting, nameOfVariable } from '../config.ts'
import { AttemptSeal, SingleSignOn } from '../identity/index.ts'

const NEEDED = ['oidcIssuer', 'oidcClientId', 'oidcRoles', 'publicUrl'] as const

/**
 * The OpenID provider of the settings; undefined where they name none, and then nothing of it is loaded. It is not
 * asked for anything yet, so that a coordinator starts while it is away.
 *
 * @throws FedsvdError CONFIG_INVALID where settings that belong together are given in part
 */
export async function composeSignOn(
  config: CoordinatorConfig,
  { secret, now, nameOf = nameOfVariable }: SignOnParts,
): Promise<SingleSignOn | undefined> {
  const { oidcIssuer: issuer, oidcClientId: clientId, oidcRoles: roles, publicUrl: address } = config
  const isMeant = [issuer, clientId, config.oidcClientSecret, roles].some((setting) => setting !== undefined)
  if (!isMeant) return undefined
  if (issuer === undefined || clientId === undefined || roles === undefined || address === undefined) {
    const missing = NEEDED.filter((setting) => config[setting] === undefined).map(nameOf)
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `${NEEDED.map(nameOf).join(', ')} together`,
      got: `no ${missing.join(' and no ')}`,
      remedy: 'Give all of them, or none of the settings of the OpenID provider.',
    })
  }
  const publicUrl = address.replace(/\/+$/, '')
  const { oidcClientSecret: clientSecret, oidcScopes: scopes, oidcNameClaim: nameClaim, oidcRoleClaim: claim } = config
  const { OidcProvider } = await import('../identity/oidc/provider.ts')
  return new SingleSignOn({
    provider: new OidcProvider({
      issuer,
      clientId,
      clientSecret,
      scopes,
      publicUrl,
      wantedClaims: [claim, nameClaim],
      now,
    }),
    seal: new AttemptSeal(secret),
    issuer,
    label: config.oidcLabel ?? new URL(issuer).host,
    publicUrl,
    nameClaim,
    rules: { claim, roles, ofSeveral: config.oidcOfSeveralRoles },
    now,
  })
}

export interface SignOnParts {
  /** What coordinators on one database share. */
  readonly secret: string
  readonly now: () => number
  readonly nameOf?: NameOfSetting | undefined
}
