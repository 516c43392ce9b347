import { AUDIT_GENESIS, type AuditVerdict, followAudit } from '@fedsvd/core/protocol'
import { Router } from 'express'
import { z } from 'zod'
import { type AuditStore, auditHash } from '../storage/records/index.ts'
import { parseParams } from './path-params.ts'

const BATCH = 1000

const pageSchema = z.strictObject({
  after: z.coerce.number().int().min(0).max(2_147_483_647).default(0),
  limit: z.coerce.number().int().min(1).max(BATCH).default(100),
})

/** The audit log, to be read and verified; nothing writes to it but the actions themselves. */
export function auditLogRoutes(audit: AuditStore): Router {
  const router = Router()
  router.get('/v1/audit-log', async (request, response) => {
    const { after, limit } = parseParams(pageSchema, request.query)
    response.json({ entries: await audit.page(after, limit) })
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
