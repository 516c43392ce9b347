export { type ClientNamespace, serveClients } from './clients.ts'
export { OperatorFeed, type OperatorNamespace } from './operators.ts'
export { Presence } from './presence.ts'
