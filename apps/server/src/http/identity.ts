import type { FedsvdError } from '@fedsvd/core/errors'
import {
  challengeRequestSchema,
  enrolRequestSchema,
  PROTOCOL_HEADER,
  parseMessage,
  requireProtocol,
} from '@fedsvd/core/protocol'
import express, { type Request, Router } from 'express'
import { enrol, type Sessions } from '../identity/index.ts'
import type { Store } from '../storage/records/index.ts'
import { limitRequests } from './limits.ts'

export interface IdentityRoutes {
  readonly store: Store
  readonly sessions: Sessions
  readonly now: () => number
  readonly requestsPerMinute: number
  /** An enrolment was refused, as a client in good standing has its name. */
  onNamesake(clientId: string, refusal: FedsvdError): Promise<void>
}

/** What anyone may ask: an identity for a token, and a challenge for an identity. */
export function identityRoutes({ store, sessions, now, requestsPerMinute, onNamesake }: IdentityRoutes): Router {
  const router = Router()
  const limit = limitRequests(requestsPerMinute)
  const json = express.json({ limit: '16kb' })

  router.post('/v1/enrol', limit, json, async (request, response) => {
    requireProtocolOf(request)
    const message = parseMessage(enrolRequestSchema, request.body, 'an enrolment')
    response.status(201).json({ clientId: await enrol(store.clients, message, { now: now(), onNamesake }) })
  })
  router.post('/v1/challenge', limit, json, async (request, response) => {
    requireProtocolOf(request)
    const { clientId } = parseMessage(challengeRequestSchema, request.body, 'a request for a challenge')
    const ledgerLength = (await store.clients.find(clientId))?.ledger?.length
    response.json({ nonce: sessions.challenge(clientId), ...(ledgerLength !== undefined && { ledgerLength }) })
  })
  return router
}

/** A client of another version may say what this one does not understand, so its version is looked at first. */
function requireProtocolOf(request: Request): void {
  requireProtocol(request.get(PROTOCOL_HEADER), 'client')
  requireProtocol((request.body as { protocolVersion?: unknown } | undefined)?.protocolVersion, 'client')
}
