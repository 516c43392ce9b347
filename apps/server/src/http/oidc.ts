import { isFedsvdError } from '@fedsvd/core/errors'
import type { SignInOptions } from '@fedsvd/core/protocol'
import { type Request, type RequestHandler, type Response, Router } from 'express'
import type { Logger } from 'pino'
import {
  ATTEMPT_LIFETIME_MS,
  attemptCookie,
  attemptCookieFor,
  cookieFor,
  type OperatorSessions,
  type SingleSignOn,
} from '../identity/index.ts'
import { routeNotFound } from './guard.ts'
import { limitRequests } from './limits.ts'

export interface OidcRoutes {
  readonly sessions: OperatorSessions
  /** Absent where the settings name no provider. */
  readonly signOn: SingleSignOn | undefined
  readonly requestsPerMinute: number
  readonly log: Logger
}

/** Why a sign-in came to nothing, as the dashboard's page reads it. */
type Outcome = 'refused' | 'unavailable' | 'expired'

/**
 * Signing in by an OpenID provider. Browsers open these addresses, not programs: each answer is a redirect, to the
 * provider or to the dashboard, and nothing in a request says where to.
 */
export function oidcRoutes({ sessions, signOn, requestsPerMinute, log }: OidcRoutes): Router {
  const router = Router()
  const limit = limitRequests(requestsPerMinute)

  router.get('/v1/sign-in-options', (_request, response) => {
    response.json({ ...(signOn && { provider: { label: signOn.label } }) } satisfies SignInOptions)
  })
  const where = (handler: (signOn: SingleSignOn, request: Request, response: Response) => Promise<void>) =>
    (async (request, response) => {
      if (signOn === undefined) throw routeNotFound(request.method, request.path)
      response.set('cache-control', 'no-store')
      await handler(signOn, request, response)
    }) satisfies RequestHandler

  router.get('/v1/oidc/start', limit, where(start))
  router.get('/v1/oidc/callback', limit, where(finish))
  router.get('/v1/oidc/sign-out', limit, where(signOut))
  return router

  async function start(on: SingleSignOn, request: Request, response: Response): Promise<void> {
    try {
      const { url, sealed } = await on.begin()
      const [name, attributes] = attemptCookieFor(request.secure)
      response.cookie(name, sealed, { ...attributes, maxAge: ATTEMPT_LIFETIME_MS }).redirect(303, url)
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, 'the OpenID provider does not answer')
      goHome(on, response, 'unavailable')
    }
  }

  async function finish(on: SingleSignOn, request: Request, response: Response): Promise<void> {
    const [name, attributes] = attemptCookieFor(request.secure)
    response.clearCookie(name, attributes)
    try {
      const query = request.originalUrl.split('?')[1] ?? ''
      const identity = await on.finish(query, attemptCookie(request.headers.cookie, request.secure))
      if (identity === undefined) return goHome(on, response, 'expired')
      const { sessionId } = await sessions.signInAs(identity)
      const [cookie, ofSession] = cookieFor(request.secure)
      response.cookie(cookie, sessionId, ofSession)
      goHome(on, response)
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, 'a sign-in by the OpenID provider came to nothing')
      goHome(on, response, isRefusal(error) ? 'refused' : 'unavailable')
    }
  }

  async function signOut(on: SingleSignOn, _request: Request, response: Response): Promise<void> {
    const url = await on.endSessionUrl().catch(() => undefined)
    if (url === undefined) goHome(on, response)
    else response.redirect(303, url)
  }
}

function goHome({ publicUrl }: SingleSignOn, response: Response, outcome?: Outcome): void {
  response.redirect(303, `${publicUrl}/${outcome === undefined ? '' : `?sign-in=${outcome}`}`)
}

/** By us, or by the provider: of somebody who did not consent, for one. */
function isRefusal(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return isFedsvdError(error, 'SIGN_IN_REFUSED') || code === 'OAUTH_AUTHORIZATION_RESPONSE_ERROR'
}

/** The library's own words and code, never what came in the address. */
function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message: string }
  return `${typeof code === 'string' ? `${code}: ` : ''}${message}`.replace(/\s+/g, ' ').slice(0, 300)
}
