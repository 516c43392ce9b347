import type { OperatorRecord } from '../records.ts'
import type { OperatorStore } from '../store.ts'
import { appendAudit } from './audit.ts'
import type { Tables } from './tables.ts'

export function memoryOperators(tables: Tables): OperatorStore {
  const { operators, sessions } = tables
  const named = (name: string) => [...operators.values()].find((operator) => operator.name === name)
  const known = ({ issuer, subject }: Pick<OperatorRecord, 'issuer' | 'subject'>) =>
    issuer === undefined
      ? undefined
      : [...operators.values()].find((operator) => operator.issuer === issuer && operator.subject === subject)
  return {
    async create(operator, audit) {
      if (named(operator.name) !== undefined || known(operator) !== undefined) return false
      operators.set(operator.id, operator)
      appendAudit(tables, audit)
      return true
    },
    find: async (operatorId) => operators.get(operatorId),
    findByName: async (name) => named(name),
    findBySubject: async (who) => known(who),
    async setRole(operatorId, role, audit) {
      const operator = operators.get(operatorId)
      if (operator === undefined || operator.role === role) return
      operators.set(operatorId, { ...operator, role })
      appendAudit(tables, audit)
    },
    list: async () => [...operators.values()].sort((left, right) => (left.name < right.name ? -1 : 1)),
    async disable(operatorId, at, audit) {
      const operator = operators.get(operatorId)
      if (operator === undefined || operator.disabledAt !== undefined) return false
      operators.set(operatorId, { ...operator, disabledAt: at })
      for (const session of sessions.values()) if (session.operatorId === operatorId) sessions.delete(session.hash)
      appendAudit(tables, audit)
      return true
    },
    async beginSession(session, audit) {
      for (const { hash, expiresAt } of sessions.values()) if (expiresAt <= session.createdAt) sessions.delete(hash)
      sessions.set(session.hash, session)
      appendAudit(tables, audit)
    },
    async session(hash, now) {
      const session = sessions.get(hash)
      const operator = session && operators.get(session.operatorId)
      if (operator === undefined || operator.disabledAt !== undefined || session!.expiresAt <= now) return undefined
      return [session!, operator]
    },
    async renewSession(hash, expiresAt) {
      const session = sessions.get(hash)
      if (session !== undefined) sessions.set(hash, { ...session, expiresAt })
    },
    async endSession(hash, audit) {
      if (!sessions.delete(hash)) return false
      appendAudit(tables, audit)
      return true
    },
  }
}
