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
 * `fetch` that trusts and shows what is given, through the proxy where there is one: a tunnel for `https://`, forwarded
 * requests for `http://`. It is not Node's own, which cannot do so and keeps a 407 to itself; only the names of the
 * types differ.
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
  if (proxy === undefined) return new Direct(isPlain ? {} : { connect: trust }).compose(name407(false))
  const through = new ProxyAgent({
    uri: proxy.origin,
    proxyTunnel: false,
    ...(proxy.authorization !== undefined && { token: proxy.authorization }),
    ...(!isPlain && { requestTls: trust }),
  })
  return through.compose(name407(true))
}

/**
 * `fetch` makes an error without a word of a 407, as browsers are to do. A proxy answers so to what it forwards;
 * through its tunnel, or without one, it is the answer of the address itself.
 */
const name407 =
  (hasProxy: boolean): Dispatcher.DispatcherComposeInterceptor =>
  (dispatch) =>
  (options, handler) => {
    const isOfProxy = hasProxy && !String(options.origin).startsWith('https:')
    return dispatch(options, {
      onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
      onRequestUpgrade: (controller, ...upgrade) => handler.onRequestUpgrade?.(controller, ...upgrade),
      onResponseStart: (controller, status, ...head) => {
        if (status === 407) throw new Error(isOfProxy ? 'Proxy response (407)' : OWN_407)
        handler.onResponseStart?.(controller, status, ...head)
      },
      onResponseData: (controller, chunk) => handler.onResponseData?.(controller, chunk),
      onResponseEnd: (controller, trailers) => handler.onResponseEnd?.(controller, trailers),
      onResponseError: (controller, error) => handler.onResponseError?.(controller, error),
    })
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

const OWN_407 = 'Answer 407 of the address itself'

/** An answer that `fetch`, or a tunnel, has made an error of, and who gave it. */
export interface AnswerInError {
  readonly status: number
  readonly by: 'proxy' | 'address'
}

/**
 * The answer by which a proxy refused a request, or the tunnel for it, or the address itself said 407; else undefined.
 */
export function answerIn(error: unknown): AnswerInError | undefined {
  let next: unknown = error
  for (let depth = 0; depth < 8 && next instanceof Error; depth += 1) {
    const [, status] = /^Proxy response \((\d{3})\)/.exec(next.message) ?? []
    if (status !== undefined) return { status: Number(status), by: 'proxy' }
    if (/^proxy authentication required/i.test(next.message)) return { status: 407, by: 'proxy' }
    if (next.message === OWN_407) return { status: 407, by: 'address' }
    next = next.cause
  }
  return undefined
}
