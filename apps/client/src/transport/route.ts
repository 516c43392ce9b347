import { type ForwardProxy, fetchThrough, type ProxyEnvironment, proxyFor, type TlsTrust } from '@fedsvd/engine/network'
import { coordinatorAddress } from './address.ts'

/** Where a coordinator is, and how it is reached. */
export interface Route {
  /** As `coordinatorAddress` spells it. */
  readonly coordinator: string
  readonly trust: TlsTrust
  /** The forward proxy on the way, where the environment names one. */
  readonly proxy: ForwardProxy | undefined
  /** Sends a request to it. */
  readonly send: typeof fetch
}

/** The way to a coordinator, over what the environment says of proxies. @throws FedsvdError CONFIG_INVALID */
export function routeTo(address: string, trust: TlsTrust = {}, env: ProxyEnvironment = process.env): Route {
  const coordinator = coordinatorAddress(address)
  const proxy = proxyFor(coordinator, env)
  return { coordinator, trust, proxy, send: fetchThrough(trust, proxy) }
}
