import type { Agent } from 'node:http'
import { HttpsProxyAgent } from 'https-proxy-agent'
import type { Dispatcher } from 'undici'
import { type ForwardProxy, type ProxyEnvironment, proxyFor } from './proxy.ts'

/** What a TLS connection is made with: contents of PEM files. */
export interface TlsTrust {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/**
 * `fetch` that trusts and shows what is given, through the proxy where there is one: a tunnel for `https://`, forwarded requests
 * for `http://`. It is not Node's own, which cannot do so and keeps a 407 to itself; only the names of the types differ.
 */
export function fetchThrough(trust: TlsTrust, proxy?: ForwardProxy): typeof fetch {
  const loaded = import('undici').then((undici) => {
    const dispatcher = dispatcherOf(undici, trust, proxy)
    return (input: string | URL, init?: object) => undici.fetch(input, { ...init, dispatcher })
  })
  return (async (input: string | URL, init?: object) => (await loaded)(input, init)) as unknown as typeof fetch
}

function dispatcherOf(
  { Agent: Direct, ProxyAgent }: typeof import('undici'),
  trust: TlsTrust,
  proxy?: ForwardProxy,
): Dispatcher {
  const isPlain = Object.keys(trust).length === 0
  if (proxy === undefined) return new Direct(isPlain ? {} : { connect: trust }).compose(name407)
  const through = new ProxyAgent({
    uri: proxy.origin,
    proxyTunnel: false,
    ...(proxy.authorization !== undefined && { token: proxy.authorization }),
    ...(!isPlain && { requestTls: trust }),
  })
  return through.compose(name407)
}

/** `fetch` makes an error without a word of a 407, as browsers are to do. */
const name407: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) =>
  dispatch(options, {
    onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
    onRequestUpgrade: (controller, ...upgrade) => handler.onRequestUpgrade?.(controller, ...upgrade),
    onResponseStart: (controller, status, ...head) => {
      if (status === 407) throw new Error('Proxy response (407)')
      handler.onResponseStart?.(controller, status, ...head)
    },
    onResponseData: (controller, chunk) => handler.onResponseData?.(controller, chunk),
    onResponseEnd: (controller, trailers) => handler.onResponseEnd?.(controller, trailers),
    onResponseError: (controller, error) => handler.onResponseError?.(controller, error),
  })

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
