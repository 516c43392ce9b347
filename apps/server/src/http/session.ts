import { linkRequestSchema, parseMessage, type SessionInfo, signInRequestSchema } from '@fedsvd/core/protocol'
import express, { Router } from 'express'
import { type Caller, cookieFor, type OperatorSessions } from '../identity/index.ts'
import { callerOf, credentialsOf } from './guard.ts'
import { limitRefusals } from './limits.ts'

export interface SessionRoutes {
  readonly sessions: OperatorSessions
  readonly refusedSignInsPerMinute: number
}

/** Signing in and out. */
export function sessionRoutes({ sessions, refusedSignInsPerMinute }: SessionRoutes): Router {
  const router = Router()
  const json = express.json({ limit: '16kb' })

  router.post('/v1/session', limitRefusals(refusedSignInsPerMinute), json, async (request, response) => {
    const { name, secret, as } = parseMessage(signInRequestSchema, request.body, 'a sign-in')
    const { sessionId, caller } = await sessions.signIn(name, secret)
    response.set('cache-control', 'no-store')
    if (as === 'token') {
      const { csrfToken: _, ...info } = infoOf(caller)
      response.status(201).json({ ...info, token: sessionId })
      return
    }
    const [cookie, attributes] = cookieFor(request.secure)
    response.cookie(cookie, sessionId, attributes).status(201).json(infoOf(caller))
  })
  router.post('/v1/session/link', limitRefusals(refusedSignInsPerMinute), json, async (request, response) => {
    const { token } = parseMessage(linkRequestSchema, request.body, 'a sign-in by a link')
    const { sessionId, caller } = await sessions.signInByLink(token)
    const [cookie, attributes] = cookieFor(request.secure)
    response.set('cache-control', 'no-store').cookie(cookie, sessionId, attributes).status(201).json(infoOf(caller))
  })
  router.get('/v1/session', async (request, response) => {
    // Asked anew, as the guard has just moved the end of the session.
    const { caller, byCookie } = await sessions.identify(credentialsOf(request))
    const { csrfToken, ...info } = infoOf(caller)
    response.set('cache-control', 'no-store').json({ ...info, ...(byCookie && { csrfToken }) })
  })
  router.delete('/v1/session', async (request, response) => {
    await sessions.signOut(callerOf(response))
    const [cookie, attributes] = cookieFor(request.secure)
    response.clearCookie(cookie, attributes).status(204).end()
  })
  return router
}

function infoOf({ role, operator, session }: Caller): SessionInfo {
  return {
    role,
    ...(operator && { operator }),
    ...(session && { expiresAt: new Date(session.expiresAt).toISOString(), csrfToken: session.csrfToken }),
  }
}
