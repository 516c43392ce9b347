import type { CoordinatorParts } from '@fedsvd/server'
import { type TestCoordinator, testCoordinator } from './coordinator.ts'
import { freePort } from './free-port.ts'
import { MovableClock } from './movable-clock.ts'
import { OIDC_CLIENT, type OidcDouble, oidcDouble } from './oidc-double.ts'

export interface CoordinatorWithProvider extends AsyncDisposable {
  readonly clock: MovableClock
  readonly provider: OidcDouble
  readonly coordinator: TestCoordinator
  readonly url: string
}

/** A coordinator whose operators may sign in by a provider, by the roles `admins`, `staff` and `revision` there. */
export async function coordinatorWithProvider({
  claimsIn,
  parts,
}: {
  readonly claimsIn?: 'id-token' | 'user-info'
  readonly parts?: Partial<CoordinatorParts>
} = {}): Promise<CoordinatorWithProvider> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const provider = await oidcDouble(url, claimsIn)
  const clock = new MovableClock()
  const settings = {
    port,
    publicUrl: `${url}/`,
    oidcIssuer: provider.issuer,
    oidcClientId: OIDC_CLIENT.id,
    oidcClientSecret: OIDC_CLIENT.secret,
    oidcRoles: { admins: 'admin', staff: 'operator', revision: 'auditor' } as const,
    oidcLabel: 'the clinic',
  }
  const coordinator = await testCoordinator(settings, { clock, ...parts })
  return {
    clock,
    provider,
    coordinator,
    url,
    async [Symbol.asyncDispose]() {
      await coordinator[Symbol.asyncDispose]()
      await provider[Symbol.asyncDispose]()
    },
  }
}
