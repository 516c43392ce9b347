import type { Agent } from 'node:http'
import { HttpsProxyAgent } from 'https-proxy-agent'
import { type ForwardProxy, type ProxyEnvironment, proxyFor } from './proxy.ts'

/** What a TLS connection is made with: contents of PEM files. */
export interface TlsTrust {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/**
 * `fetch` that trusts and shows what is given, through the proxy where there is one: a tunnel for `https://`, forwarded requests
 * for `http://`. The global one where there is neither.
 */
export function fetchThrough(trust: TlsTrust, proxy?: ForwardProxy): typeof fetch {
  const isPlain = Object.keys(trust).length === 0
  if (isPlain && proxy === undefined) return (input, init) => fetch(input, init)
  // Loaded when it is needed. Node's own fetch is an older copy of it: only the names of the types differ.
  const loaded = import('undici').then((undici) => {
    const dispatcher =
      proxy === undefined
        ? new undici.Agent({ connect: trust })
        : new undici.ProxyAgent({
            uri: proxy.origin,
            proxyTunnel: false,
            ...(proxy.authorization !== undefined && { token: proxy.authorization }),
            ...(!isPlain && { requestTls: trust }),
          })
    return (input: string | URL, init?: object) => undici.fetch(input, { ...init, dispatcher })
  })
  return (async (input: string | URL, init?: object) => (await loaded)(input, init)) as unknown as typeof fetch
}

/** `fetch` that looks for the proxy of each address, for services that send one on to others. */
export function fetchByEnvironment(env: ProxyEnvironment = process.env): typeof fetch {
  const known = new Map<string, typeof fetch>()
  return async (input, init) => {
    const proxy = proxyFor(input instanceof Request ? input.url : String(input), env)
    const key = proxy?.origin ?? ''
    const send = known.get(key) ?? fetchThrough({}, proxy)
    known.set(key, send)
    return await send(input, init)
  }
}

/** Makes the tunnel of a WebSocket through the proxy; the settings of TLS come with the request. */
export function tunnelThrough({ origin, authorization }: ForwardProxy): Agent {
  return new HttpsProxyAgent(
    origin,
    authorization === undefined ? {} : { headers: { 'proxy-authorization': authorization } },
  )
}

/** The status by which a proxy refused a request, or the tunnel for it; undefined for every other error. */
export function statusOfProxy(error: unknown): number | undefined {
  let next: unknown = error
  for (let depth = 0; depth < 8 && next instanceof Error; depth += 1) {
    const [, status] = /^Proxy response \((\d{3})\)/.exec(next.message) ?? []
    if (status !== undefined) return Number(status)
    if (/^proxy authentication required/i.test(next.message)) return 407
    next = next.cause
  }
  return undefined
}
