export { fetchByEnvironment, fetchThrough, statusOfProxy, type TlsTrust, tunnelThrough } from './fetch-through.ts'
export { type ForwardProxy, type ProxyEnvironment, proxyFor } from './proxy.ts'
