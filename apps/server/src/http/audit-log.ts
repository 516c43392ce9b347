import { AUDIT_GENESIS, type AuditVerdict, followAudit } from '@fedsvd/core/protocol'
import { Router } from 'express'
import { z } from 'zod'
import { type AuditStore, auditHash, type Store } from '../storage/records/index.ts'
import { findAudit } from '../views/index.ts'
import { parseParams } from './path-params.ts'

const BATCH = 1000

const pageSchema = z.strictObject({
  after: z.coerce.number().int().min(0).max(2_147_483_647).default(0),
  limit: z.coerce.number().int().min(1).max(BATCH).default(100),
})

const words = z.string().min(1).max(200).optional()
const searchSchema = z.strictObject({
  before: z.coerce.number().int().min(1).max(2_147_483_647).optional(),
  limit: z.coerce.number().int().min(1).max(BATCH).default(50),
  actor: words,
  action: words,
  object: words,
  from: z.iso.datetime({ offset: true }).optional(),
  to: z.iso.datetime({ offset: true }).optional(),
})

/** The audit log, to be read and verified; nothing writes to it but the actions themselves. */
export function auditLogRoutes(store: Pick<Store, 'audit' | 'clients' | 'operators' | 'runs'>): Router {
  const { audit } = store
  const router = Router()
  router.get('/v1/audit-log', async (request, response) => {
    const { after, limit } = parseParams(pageSchema, request.query)
    response.json({ entries: await audit.page(after, limit) })
  })
  router.get('/v1/audit-log/search', async (request, response) => {
    const { from, to, ...question } = parseParams(searchSchema, request.query)
    const times = { ...(from && { from: Date.parse(from) }), ...(to && { to: Date.parse(to) }) }
    response.json(await findAudit(store, { ...question, ...times }))
  })
  router.get('/v1/audit-log/verify', async (_request, response) => {
    response.json(await verifyAudit(audit))
  })
  return router
}

async function verifyAudit(audit: AuditStore): Promise<AuditVerdict> {
  let verdict: AuditVerdict = { intact: true, entries: 0, head: AUDIT_GENESIS }
  for (;;) {
    const page = await audit.page(verdict.entries, BATCH)
    verdict = followAudit(verdict, page, auditHash)
    if (!verdict.intact || page.length < BATCH) return verdict
  }
}
