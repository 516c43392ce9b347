import { FedsvdError } from '@fedsvd/core/errors'
import { identifierSchema } from '@fedsvd/core/protocol'
import type { Express, Request, RequestHandler, Response } from 'express'
import { z } from 'zod'
import {
  type Caller,
  type Credentials,
  checkCsrfToken,
  findRoute,
  type OperatorSessions,
  ownsRun,
  ROUTES,
  requireRole,
  sessionCookie,
} from '../identity/index.ts'
import type { Store } from '../storage/records/index.ts'
import { bearerToken } from './bearer.ts'
import { limitRefusals } from './limits.ts'
import { parseParams, runNotFound } from './path-params.ts'
import { refuseUnreadQuery } from './refuse-unread-input.ts'

/** Everything below it is refused unless the table of permissions names it. */
export const GUARDED = '/v1'

export interface GuardParts {
  readonly sessions: OperatorSessions
  readonly store: Store
  readonly refusalsPerMinute: number
}

/**
 * Stands before every route: the caller has one of the roles of the table, a request by cookie that changes something
 * carries its CSRF token, and a run in the address is the caller's to see. Routes of clients check those themselves.
 */
export function guard({ sessions, store, refusalsPerMinute }: GuardParts): RequestHandler[] {
  const limit = limitRefusals(refusalsPerMinute)
  return [
    (request, response, next) => (isLeftToHandler(request) ? next() : limit(request, response, next)),
    async (request, response, next) => {
      if (!isLeftToHandler(request)) response.locals.caller = await authorise(request)
      refuseUnreadQuery(routeOf(request).name, request)
      next()
    },
  ]

  async function authorise(request: Request): Promise<Caller> {
    const { method } = request
    const path = pathOf(request)
    const route = routeOf(request)
    const { caller, byCookie } = await sessions.identify(credentialsOf(request))
    if (!route.isServed) throw routeNotFound(method, path)
    requireRole(caller, route.access, `${method} ${path}`)
    if (byCookie && method !== 'GET' && method !== 'HEAD') checkCsrfToken(caller, request.headers['x-csrf-token'])
    const { runId: asked, operatorId, clientId } = route.params
    const { runId } = parseParams(idsSchema, { runId: asked, operatorId, clientId })
    if (runId !== undefined) {
      const run = await store.runs.find(runId)
      if (run === undefined || !ownsRun(caller, run)) throw runNotFound(runId)
    }
    await sessions.renew(caller)
    return caller
  }
}

function pathOf(request: Request): string {
  return `${request.baseUrl}${request.path}`
}

/** @throws FedsvdError ROUTE_NOT_FOUND when the table does not name the address, under any method */
function routeOf(request: Request): NonNullable<ReturnType<typeof findRoute>> {
  const route = findRoute(request.method, pathOf(request))
  if (route === undefined) throw routeNotFound(request.method, pathOf(request))
  return route
}

/** True for routes that are open to anyone, and for those of clients. */
function isLeftToHandler(request: Request): boolean {
  const { access, isServed } = routeOf(request)
  return isServed && typeof access === 'string'
}

/**
 * The identifiers that an address may name; a run is looked up here, the others by the routes, which are the admins'.
 */
const idsSchema = z.strictObject({
  runId: identifierSchema.optional(),
  operatorId: identifierSchema.optional(),
  clientId: identifierSchema.optional(),
})

/** Who the guard let through. */
export function callerOf(response: Response): Caller {
  const { caller } = response.locals as { caller?: Caller }
  if (caller === undefined) throw new TypeError('a route for operators is not behind the guard')
  return caller
}

export function credentialsOf(request: Request): Credentials {
  return { bearer: bearerToken(request), cookie: sessionCookie(request.headers.cookie, request.secure) }
}

export function routeNotFound(method: string, path: string): FedsvdError {
  return new FedsvdError('ROUTE_NOT_FOUND', {
    expected: 'a route of the protocol reference',
    got: `${method} ${path.slice(0, 200)}`,
    remedy: 'Check the address and the method.',
  })
}

/** Every route that an application serves, as `METHOD /path`. */
export function servedRoutes(app: Express): readonly string[] {
  return routesIn(app.router as unknown as RouterLike)
}

interface RouterLike {
  readonly stack: readonly {
    readonly route?: { readonly path: string; readonly methods: Readonly<Record<string, boolean>> }
    readonly handle?: Partial<RouterLike>
  }[]
}

function routesIn({ stack }: RouterLike): string[] {
  return stack.flatMap(({ route, handle }) => {
    if (route !== undefined) return Object.keys(route.methods).map((method) => `${method.toUpperCase()} ${route.path}`)
    return handle?.stack === undefined ? [] : routesIn({ stack: handle.stack })
  })
}

/** Fails a start whose routes and table of permissions differ: a route without a permission is never served. */
export function checkRoutes(served: readonly string[]): void {
  const unnamed = served.filter((route) => !Object.hasOwn(ROUTES, route))
  const unguarded = served.filter((route) => ROUTES[route] !== 'anyone' && !route.includes(` ${GUARDED}/`))
  const faults = [...unnamed, ...unguarded]
  if (faults.length > 0) throw new TypeError(`no entry in the table of permissions, or not behind the guard: ${faults}`)
}
