export { networkTransport } from './network.ts'
export type { Caller, CoordinatorLink, LinkHandlers, Transport } from './transport.ts'
