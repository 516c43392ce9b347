import { FedsvdError } from '@fedsvd/core/errors'
import { isNamedBy } from './no-proxy.ts'

/** Variables of the environment that name proxies. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>

/** A forward proxy. */
export interface ForwardProxy {
  /** Scheme, host and port: what may be shown. */
  readonly origin: string
  /** `Proxy-Authorization`, where its address has a name and a password. */
  readonly authorization: string | undefined
}

/**
 * The proxy that the environment names for an address, as `curl` reads it: `https_proxy` or `HTTPS_PROXY` for
 * `https://`, `http_proxy` or `HTTP_PROXY` for `http://`, else `all_proxy` or `ALL_PROXY`; none for what `no_proxy` or
 * `NO_PROXY` names. The lower case comes first, and an empty variable counts as absent.
 *
 * @throws FedsvdError CONFIG_INVALID where it is not the address of an HTTP proxy; the message holds none of it
 */
export function proxyFor(address: string, env: ProxyEnvironment = process.env): ForwardProxy | undefined {
  const url = new URL(address)
  if (isNamedBy(variable(env, 'no_proxy')?.value ?? '', url)) return undefined
  const found = variable(env, `${url.protocol.slice(0, -1)}_proxy`) ?? variable(env, 'all_proxy')
  return found && parseProxy(found.value, found.name)
}

function variable(env: ProxyEnvironment, lower: string): { readonly name: string; readonly value: string } | undefined {
  for (const name of [lower, lower.toUpperCase()]) {
    const value = env[name]?.trim()
    if (value) return { name, value }
  }
  return undefined
}

function parseProxy(value: string, variable: string): ForwardProxy {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `${variable} to be the address of an HTTP proxy, such as http://proxy.example:3128`,
      got: url === undefined || url.hostname === '' ? 'no address' : `an address that begins with ${url.protocol}//`,
      remedy: `Correct ${variable}, or name the coordinator in NO_PROXY to reach it without a proxy.`,
    })
  }
  return { origin: url.origin, authorization: authorizationOf(url) }
}

function authorizationOf({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined
  return `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')}`
}

/** A `%` that is no escape is meant as it stands. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
