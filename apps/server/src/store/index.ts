export { auditHash } from './audit-chain.ts'
export type * from './records.ts'
export type * from './store.ts'
