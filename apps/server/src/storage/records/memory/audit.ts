import { seal } from '../audit-chain.ts'
import type { AuditDraft } from '../records.ts'
import type { AuditStore } from '../store.ts'
import type { Tables } from './tables.ts'

export function memoryAudit(tables: Tables): AuditStore {
  return {
    append: async (draft) => appendAudit(tables, draft),
    page: async (seq, limit) => tables.audit.slice(seq, seq + limit),
    search: async ({ before = Number.POSITIVE_INFINITY, limit, actors, objects, action, from, to }) =>
      tables.audit
        .filter((entry) => {
          const at = Date.parse(entry.at)
          return (
            entry.seq < before &&
            (actors?.includes(entry.actor) ?? true) &&
            (objects?.includes(entry.object) ?? true) &&
            (action === undefined || entry.action.includes(action)) &&
            (from === undefined || at >= from) &&
            (to === undefined || at <= to)
          )
        })
        .slice(-limit)
        .reverse(),
  }
}

/** Appends within the turn of the caller, so that it and the action happen together. */
export function appendAudit({ audit }: Tables, draft: AuditDraft | undefined): void {
  if (draft !== undefined) audit.push(seal(draft, audit.at(-1)))
}
