export { type ClientNamespace, serveClients } from './clients.ts'
export { OperatorFeed, type OperatorNamespace } from './operators.ts'
export { closeRoot, type ServedEvents, servedEvents } from './permit-events.ts'
export { Presence, type RemoteCoordinators } from './presence.ts'
