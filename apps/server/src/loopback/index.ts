export { type LoopbackCoordinator, type LoopbackParts, startLoopbackCoordinator } from './loopback-coordinator.ts'
export type { LoopbackConnection, LoopbackPort } from './loopback-port.ts'
export type { LoopbackListener } from './loopback-socket.ts'
