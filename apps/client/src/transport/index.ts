export { backOff } from './back-off.ts'
export { Latest } from './latest.ts'
export { networkTransport } from './network.ts'
export type { Caller, CoordinatorLink, FrameUpload, LinkHandlers, Transport } from './transport.ts'
