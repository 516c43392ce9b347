import { parseMessage } from '@fedsvd/core/protocol'
import express, { type Request, type RequestHandler } from 'express'
import { z } from 'zod'

/**
 * Routes that read their query, each by a schema of its own or, coming from a provider, by OAuth's; all others refuse
 * one.
 */
const WITH_QUERY: ReadonlySet<string> = new Set([
  'GET /v1/runs/:runId/rounds',
  'GET /v1/runs/:runId/adapter',
  'GET /v1/audit-log',
  'GET /v1/audit-log/search',
  'GET /v1/oidc/callback',
])

const nothing = z.strictObject({})

/**
 * A parameter that is not read is refused: a caller that writes `?state=running` expects a filtered list.
 *
 * @param route as the table of permissions has it
 * @throws FedsvdError MESSAGE_INVALID for a query that the route would not read
 */
export function refuseUnreadQuery(route: string, { query }: Pick<Request, 'query'>): void {
  if (!WITH_QUERY.has(route)) parseMessage(nothing, { ...query }, `an address for ${route}`)
}

/** Stands before a handler that reads no body: one that says something is refused rather than ignored. */
export const withoutBody: readonly RequestHandler[] = [
  express.json({ limit: '16kb' }),
  ({ method, path, body }, _response, next) => {
    parseMessage(nothing.optional(), body, `a body of ${method} ${path}`)
    next()
  },
]
